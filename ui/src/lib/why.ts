// The daemon's sentence on where a task stands, for a page that shows the task's name beside it.

import type { TaskItem } from "../api/types";
import { moment } from "./format";

/**
 * Without the name at its beginning, with times as the reader's clock shows them, and without what the page has
 * beside it: how to take the task up again, and the ids of runs and processes.
 */
export function whyOf(task: Pick<TaskItem, "project_id" | "id" | "reason">): string {
  const name = `${task.project_id}/${task.id}`;
  const short = task.reason
    .replace(`task ${name} `, "")
    .replace(`; \`run-agent task resume ${name}\` resumes it`, "")
    .replace(/\brun \S+ \(attempt (\d+)\)/g, "attempt $1")
    .replace(/ \(pid \d+, started \d+\)/g, "")
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => moment(time, Date.now()));
  return short.charAt(0).toUpperCase() + short.slice(1);
}
