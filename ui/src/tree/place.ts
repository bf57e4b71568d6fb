// Which place of the page a row of the tree leads to, and which row a place has.

import { placeOf, places } from "../lib/places";
import type { Row } from "./rows";
import { taskKey } from "./tree";

/** The address of what a row shows. */
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

/** The key of the row that an address names, and that of the task whose runs it is among. */
export function rowAt(location: string): { current: string | null; opened: string | null } {
  const { project = "", task, run } = placeOf(location);
  if (task === undefined) return { current: project === "" ? null : `p:${project}`, opened: null };
  const row = `t:${taskKey(project, task)}`;
  return run === undefined ? { current: row, opened: null } : { current: `r:${run}:${task}`, opened: row };
}
