// The dependencies and dependents of a task, direct and indirect.

import type { TaskItem } from "../api/types";
import { taskKey, type Tree } from "../tree/tree";

export interface GraphNode {
  key: string;
  task: TaskItem | null;
  id: string;
  project: string;
}

export interface GraphEdge {
  from: string;
  to: string;
}

/** Maximum number of tasks: a larger graph is unreadable. */
const MOST = 80;

/** Returns the tasks that are connected with one by dependencies; `null` if there are none. */
export function dependenciesOf(
  tree: Tree,
  task: TaskItem,
): { nodes: GraphNode[]; edges: GraphEdge[] } | null {
  const project = task.project_id;
  const all = [...tree.tasks.values()].filter((t) => t.project_id === project);
  const byId = new Map(all.map((t) => [t.id, t]));
  byId.set(task.id, task);
  const dependents = new Map<string, string[]>();
  for (const t of byId.values()) {
    for (const d of t.depends_on) dependents.set(d, [...(dependents.get(d) ?? []), t.id]);
  }
  const seen = new Set<string>();
  const walk = (id: string, next: (id: string) => string[]): void => {
    if (seen.size >= MOST) return;
    for (const other of next(id)) {
      if (seen.has(other)) continue;
      seen.add(other);
      walk(other, next);
    }
  };
  walk(task.id, (id) => byId.get(id)?.depends_on ?? []);
  walk(task.id, (id) => dependents.get(id) ?? []);
  seen.delete(task.id);
  if (seen.size === 0) return null;
  const ids = [task.id, ...seen];
  const inside = new Set(ids);
  const edges = ids.flatMap((id) =>
    (byId.get(id)?.depends_on ?? [])
      .filter((d) => inside.has(d))
      .map((d) => ({ from: taskKey(project, d), to: taskKey(project, id) })),
  );
  return {
    nodes: ids.map((id) => ({ key: taskKey(project, id), task: byId.get(id) ?? null, id, project })),
    edges,
  };
}
