import { expect, it } from "vitest";
import type { Run, TaskItem } from "../api/types";
import { moveOf } from "./keys";
import type { Row } from "./rows";

const task = { id: "t", project_id: "p" } as TaskItem;
const rows: Row[] = [
  { kind: "project", key: "p:p", depth: 0, project: "p", open: true, count: 1, active: 0 },
  { kind: "task", key: "t:p/t", depth: 1, task, open: true, opens: true },
  { kind: "run", key: "r:1:t", depth: 2, task, run: { id: "1" } as Run, first: true, last: false },
  { kind: "run", key: "r:2:t", depth: 2, task, run: { id: "2" } as Run, first: false, last: true },
  { kind: "task", key: "t:p/u", depth: 1, task, open: false, opens: true },
];

it.each([
  ["ArrowDown", 0, { go: 1 }],
  ["ArrowUp", 4, { go: 3 }],
  ["PageDown", 0, { go: 10 }],
  ["PageUp", 4, { go: -6 }],
  ["Home", 3, { go: 0 }],
  ["End", 0, { go: 4 }],
  // Right opens, and goes in where it is open; left closes, and goes up where there is nothing to close.
  ["ArrowRight", 4, { toggle: "t:p/u" }],
  ["ArrowRight", 1, { go: 2 }],
  ["ArrowLeft", 3, { go: 1 }],
  ["ArrowLeft", 1, { toggle: "t:p/t" }],
  ["ArrowLeft", 4, { go: 0 }],
  ["ArrowLeft", 0, { toggle: "p:p" }],
  ["Enter", 2, "visit"],
  ["a", 2, null],
])("%s at row %i", (key, at, move) => {
  expect(moveOf(key, rows, at, 10)).toEqual(move);
});
