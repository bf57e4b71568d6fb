import { describe, expect, it } from "vitest";
import type { TaskItem } from "../api/types";
import { rowsOf, type Wanted } from "./rows";
import { taskKey, type Tree } from "./tree";

const task = (id: string, more: Partial<TaskItem> = {}): TaskItem => ({
  id,
  project_id: "p",
  status: "completed",
  agent: "demo",
  run_count: 1,
  run_counts: {},
  depends_on: [],
  blocked_by: [],
  done: true,
  reason: "",
  created_at: "2026-01-01T00:00:00Z",
  ...more,
});

const tree = (...tasks: TaskItem[]): Tree => ({
  projects: new Map([
    ["p", { id: "p", last_activity: "", task_count: tasks.length }],
    ["q", { id: "q", last_activity: "", task_count: 0 }],
  ]),
  tasks: new Map(tasks.map((t) => [taskKey(t.project_id, t.id), t])),
});

const wanted = (more: Partial<Wanted> = {}): Wanted => ({
  filter: "all",
  search: "",
  toggled: new Set(),
  runs: new Map(),
  ...more,
});

const names = (t: Tree, w: Wanted) =>
  rowsOf(t, w, new Set()).rows.map((r) =>
    r.kind === "project" ? r.project : r.kind === "task" ? r.task.id : r.run.id,
  );

describe("the tree as rows", () => {
  it("has the newest task first, whatever happens in the others", () => {
    const old = task("old", { last_activity: "2026-03-01T00:00:00Z" });
    const young = task("young", { created_at: "2026-02-01T00:00:00Z" });
    expect(names(tree(old, young), wanted())).toEqual(["p", "young", "old", "q"]);
  });

  it("has children below what asked for them", () => {
    const all = tree(task("a", { status: "running" }), task("b", { parent_task_id: "a" }), task("c"));
    expect(names(all, wanted())).toEqual(["p", "c", "a", "b", "q"]);
    const idle = tree(task("a"), task("b", { parent_task_id: "a" }));
    expect(names(idle, wanted())).toEqual(["p", "a", "q"]);
    expect(names(idle, wanted({ toggled: new Set(["t:p/a"]) }))).toEqual(["p", "a", "b", "q"]);
  });

  it("is filtered and searched, and counts", () => {
    const all = tree(task("fix-it", { status: "failed" }), task("read"));
    expect(names(all, wanted({ filter: "failed" }))).toEqual(["p", "fix-it"]);
    expect(names(all, wanted({ search: "FIX p" }))).toEqual(["p", "fix-it"]);
    expect(rowsOf(all, wanted({ search: "x" }), new Set())).toMatchObject({ shown: 1, total: 2 });
    expect(names(all, wanted({ filter: "attention" }))).toEqual(["p", "fix-it"]);
  });

  it("closes projects and opens runs", () => {
    const all = tree(task("a"));
    expect(names(all, wanted({ toggled: new Set(["p:p"]) }))).toEqual(["p", "q"]);
    const run = {
      id: "r",
      run_id: "r",
      attempt: 1,
      project_id: "p",
      task_id: "a",
      status: "completed",
      agent: "",
      error_summary: "",
    } as const;
    const runs = new Map([["p/a", [run]]]);
    expect(names(all, wanted({ toggled: new Set(["t:p/a"]), runs }))).toEqual(["p", "a", "r", "q"]);
  });
});
