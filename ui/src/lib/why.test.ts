import { expect, it } from "vitest";
import { whyOf } from "./why";

it("leaves out the name that stands beside it, and tells times as clocks do", () => {
  const task = {
    project_id: "p",
    id: "t",
    reason: "task p/t failed at 2020-01-02T03:04:05Z after 1 run: exit code 3",
  };
  expect(whyOf(task)).toMatch(/^Failed at [^T]+ after 1 run: exit code 3$/);
  expect(
    whyOf({
      ...task,
      reason:
        "task p/t runs: run 20200102-0304050000-7-0001 (attempt 2), driven by daemon (pid 7, started 42)",
    }),
  ).toBe("Runs: attempt 2, driven by daemon");
  const resume = "; `run-agent resume p/t` resumes it";
  expect(whyOf({ ...task, reason: task.reason + resume })).toMatch(/exit code 3$/);
  expect(whyOf({ ...task, reason: "another sentence" })).toBe("Another sentence");
});
