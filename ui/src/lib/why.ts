// The daemon's sentence on where a task stands, for a page that shows the task's name beside it.

import type { TaskItem } from "../api/types";
import { moment } from "./format";

/** Without the name at its beginning, and with times as the reader's clock shows them. */
export function whyOf(task: Pick<TaskItem, "project_id" | "id" | "reason">): string {
  const name = `task ${task.project_id}/${task.id} `;
  const rest = task.reason.startsWith(name) ? task.reason.slice(name.length) : task.reason;
  const local = rest.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) =>
    moment(time, Date.now()),
  );
  return local.charAt(0).toUpperCase() + local.slice(1);
}
