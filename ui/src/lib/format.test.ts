import { describe, expect, it } from "vitest";
import { ago, bytes, count, dollars, duration, moment, shortRun, shortTask, taskName } from "./format";

describe("figures as people read them", () => {
  it.each([
    [ago(59_000), "59 s"],
    [ago(3_600_000), "1 h"],
    [duration(420), "0.4 s"],
    [duration(65_000), "1:05"],
    [duration(7_384_000), "2:03:04"],
    [bytes(999), "999 B"],
    [bytes(1_400_000), "1.4 MB"],
    [count(12_345), "12.3 k"],
    [dollars(0.0042), "$0.0042"],
    [dollars(1.2), "$1.20"],
    [shortTask("task-20261122-055142-fix-it"), "fix-it"],
    [shortTask("mine"), "mine"],
    [
      shortRun("20261122-0551421837-24366-0001"),
      moment("2026-11-22T05:51:42Z", Date.parse("2026-11-30T00:00:00Z")),
    ],
    [
      taskName("Fix the login page!", new Date("2026-11-22T05:51:42Z")),
      "task-20261122-055142-fix-the-login-page",
    ],
    [taskName("", new Date("2026-11-22T05:51:42Z")), "task-20261122-055142-untitled"],
  ])("%s", (shown, expected) => {
    expect(shown).toBe(expected);
  });
});
