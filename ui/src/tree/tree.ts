// All projects and tasks, as the stream delivers them.

import type { Project, TaskItem } from "../api/types";
import { useFeed, type Feed, type Reading } from "../live/feed";

/** Projects and tasks by name. The maps are changed in place, and the feed's version counts the changes. */
export interface Tree {
  projects: Map<string, Project>;
  tasks: Map<string, TaskItem>;
}

/** Returns the full name of a task. */
export function taskKey(project: string, task: string): string {
  return `${project}/${task}`;
}

const READING: Reading<Tree> = {
  empty: () => ({ projects: new Map(), tasks: new Map() }),
  take: (tree, event) => {
    switch (event.type) {
      case "project": {
        const project = event["project"] as Project;
        tree.projects.set(project.id, project);
        break;
      }
      case "task": {
        const task = event["task"] as TaskItem;
        tree.tasks.set(taskKey(task.project_id, task.id), task);
        break;
      }
      case "project_gone": {
        const gone = event["project_id"] as string;
        tree.projects.delete(gone);
        for (const [key, task] of tree.tasks) if (task.project_id === gone) tree.tasks.delete(key);
        break;
      }
      case "task_gone":
        tree.tasks.delete(taskKey(event["project_id"] as string, event["task_id"] as string));
        break;
    }
    return tree;
  },
};

/** The whole tree, live. */
export function useTree(): Feed<Tree> {
  return useFeed("tree", "", READING);
}
