// One task with its runs, as the stream delivers it.

import type { TaskDetail } from "../api/types";
import { useFeed, type Feed, type Reading } from "../live/feed";
import { taskKey } from "../tree/tree";

const READING: Reading<TaskDetail | null> = {
  empty: () => null,
  take: (task, event) => {
    if (event.type === "task") return event["task"] as TaskDetail;
    return event.type === "task_gone" ? null : task;
  },
};

/** The task with its runs, newest first; `null` before it has arrived and after its deletion. */
export function useTask(project: string, task: string): Feed<TaskDetail | null> {
  return useFeed(`tree:${taskKey(project, task)}`, "", READING);
}
