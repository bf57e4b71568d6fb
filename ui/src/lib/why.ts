// Shortens the daemon's sentence about the state of a task, for a page that already shows the task's name.

import type { TaskItem } from "../api/types";
import { moment } from "./format";

/**
 * Removes the name, the command to resume the task, and the ids of runs and processes, which the page shows
 * elsewhere. Times are converted to local time.
 */
export function whyOf(task: Pick<TaskItem, "project_id" | "id" | "reason">): string {
  const name = `${task.project_id}/${task.id}`;
  const short = task.reason
    .replace(`task ${name} `, "")
    .replace(`; \`run-agent resume ${name}\` resumes it`, "")
    .replace(/\brun \S+ \(attempt (\d+)\)/g, "attempt $1")
    .replace(/ \(pid \d+, started \d+\)/g, "")
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => moment(time, Date.now()));
  return short.charAt(0).toUpperCase() + short.slice(1);
}
