// Computes the rows of the tree as a list, from the open nodes, the filter and the parents.

import type { Run, TaskItem } from "../api/types";
import { taskKey, type Tree } from "./tree";

export type Filter = "all" | "active" | "attention" | "failed" | "done";

export const FILTERS: Filter[] = ["all", "active", "attention", "failed", "done"];

/** A row. `depth` is 0 for projects. */
export type Row =
  | {
      kind: "project";
      key: string;
      depth: number;
      project: string;
      open: boolean;
      count: number;
      active: number;
    }
  | { kind: "task"; key: string; depth: number; task: TaskItem; open: boolean; opens: boolean }
  | { kind: "run"; key: string; depth: number; task: TaskItem; run: Run; last: boolean; first: boolean };

export interface Wanted {
  filter: Filter;
  search: string;
  /** Keys of closed projects and open tasks, that is, of the exceptions from the default. */
  toggled: ReadonlySet<string>;
  runs: ReadonlyMap<string, Run[]>;
}

const ACTIVE = new Set(["running", "queued", "blocked"]);

/** Returns true if a task passes a filter. `asking` has the names of the tasks with an open question. */
export function passes(task: TaskItem, filter: Filter, asking: ReadonlySet<string>): boolean {
  switch (filter) {
    case "all":
      return true;
    case "active":
      return ACTIVE.has(task.status);
    case "attention":
      return task.status === "failed" || asking.has(taskKey(task.project_id, task.id));
    case "failed":
      return task.status === "failed";
    case "done":
      return task.status === "completed";
  }
}

/** Newest first by creation time. It never changes, so activity moves no row. */
function newest(a: TaskItem, b: TaskItem): number {
  const [x, y] = [a.created_at ?? "", b.created_at ?? ""];
  return x === y ? (a.id < b.id ? 1 : -1) : x < y ? 1 : -1;
}

/** The rows, the number of shown tasks and the number of all tasks. */
export function rowsOf(
  tree: Tree,
  wanted: Wanted,
  asking: ReadonlySet<string>,
): { rows: Row[]; shown: number; total: number } {
  const needle = wanted.search.trim().toLowerCase();
  const words = needle === "" ? [] : needle.split(/\s+/);
  const fits = (task: TaskItem): boolean => {
    if (!passes(task, wanted.filter, asking)) return false;
    if (words.length === 0) return true;
    const text = `${task.project_id}/${task.id} ${task.agent} ${task.status}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };

  const byProject = new Map<string, TaskItem[]>();
  let shown = 0;
  for (const task of tree.tasks.values()) {
    if (!fits(task)) continue;
    shown += 1;
    const list = byProject.get(task.project_id);
    if (list) list.push(task);
    else byProject.set(task.project_id, [task]);
  }
  // A project without a matching task is left out, unless there is no filter.
  const everything = wanted.filter === "all" && words.length === 0;
  const names = new Set(everything ? tree.projects.keys() : []);
  for (const name of byProject.keys()) names.add(name);

  const rows: Row[] = [];
  for (const project of [...names].sort()) {
    const tasks = (byProject.get(project) ?? []).sort(newest);
    const key = `p:${project}`;
    const open = !wanted.toggled.has(key);
    const active = tasks.filter((t) => t.status === "running").length;
    rows.push({ kind: "project", key, depth: 0, project, open, count: tasks.length, active });
    if (!open) continue;

    const there = new Set(tasks.map((t) => t.id));
    const children = new Map<string, TaskItem[]>();
    const roots: TaskItem[] = [];
    for (const task of tasks) {
      const parent = task.parent_task_id;
      if (parent !== undefined && parent !== task.id && there.has(parent)) {
        const list = children.get(parent);
        if (list) list.push(task);
        else children.set(parent, [task]);
      } else roots.push(task);
    }
    const seen = new Set<string>();
    const add = (task: TaskItem, depth: number): void => {
      if (seen.has(task.id)) return;
      seen.add(task.id);
      const key = `t:${taskKey(project, task.id)}`;
      const below = children.get(task.id) ?? [];
      const opens = task.run_count > 0 || below.length > 0;
      const open = wanted.toggled.has(key);
      rows.push({ kind: "task", key, depth, task, open, opens });
      if (open) {
        const runs = wanted.runs.get(taskKey(project, task.id)) ?? [];
        runs.forEach((run, n) => {
          const ends = { first: n === 0, last: n === runs.length - 1 };
          rows.push({ kind: "run", key: `r:${run.id}:${task.id}`, depth: depth + 1, task, run, ...ends });
        });
      }
      // The children of a running task are open by default.
      if (open || task.status === "running" || words.length > 0)
        for (const child of below) add(child, depth + 1);
    };
    for (const task of roots) add(task, 1);
  }
  return { rows, shown, total: tree.tasks.size };
}
