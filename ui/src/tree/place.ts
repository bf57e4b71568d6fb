// Maps rows of the tree to addresses of the page, and back.

import { placeOf, places } from "../lib/places";
import type { Row } from "./rows";
import { taskKey } from "./tree";

/** Returns the address of a row. */
export function addressOf(row: Row): string {
  switch (row.kind) {
    case "project":
      return places.project(row.project);
    case "task":
      return places.task(row.task.project_id, row.task.id);
    case "run":
      return places.run(row.task.project_id, row.task.id, row.run.id);
  }
}

/** Returns the key of the row for an address and, for a run, the key of its task. */
export function rowAt(location: string): { current: string | null; opened: string | null } {
  const { project = "", task, run } = placeOf(location);
  if (task === undefined) return { current: project === "" ? null : `p:${project}`, opened: null };
  const row = `t:${taskKey(project, task)}`;
  return run === undefined ? { current: row, opened: null } : { current: `r:${run}:${task}`, opened: row };
}
