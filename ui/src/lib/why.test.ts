import { expect, it } from "vitest";
import { whyOf } from "./why";

it("leaves out the name that stands beside it, and tells times as clocks do", () => {
  const task = {
    project_id: "p",
    id: "t",
    reason: "task p/t failed at 2020-01-02T03:04:05Z after 1 run: exit code 3",
  };
  expect(whyOf(task)).toMatch(/^Failed at [^T]+ after 1 run: exit code 3$/);
  expect(whyOf({ ...task, reason: "another sentence" })).toBe("Another sentence");
});
