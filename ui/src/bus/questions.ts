// The tasks with an open question.

import { useMemo } from "react";
import type { Message } from "../api/types";
import { External, useExternal } from "../lib/external";
import { taskKey } from "../tree/tree";

/** The open questions by message id. */
export const questions = new External<ReadonlyMap<string, Message>>(new Map());

/** The names of the tasks with open questions. */
export function useAsking(): ReadonlySet<string> {
  const open = useExternal(questions);
  return useMemo(
    () => new Set([...open.values()].map((m) => taskKey(m.project_id, m.task_id ?? ""))),
    [open],
  );
}
