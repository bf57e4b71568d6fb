// Which tasks ask something that nobody has answered.

import { useMemo } from "react";
import type { Message } from "../api/types";
import { External, useExternal } from "../lib/external";
import { taskKey } from "../tree/tree";

/** The open questions, by the id of their message. */
export const questions = new External<ReadonlyMap<string, Message>>(new Map());

/** The names of the tasks that ask. */
export function useAsking(): ReadonlySet<string> {
  const open = useExternal(questions);
  return useMemo(
    () => new Set([...open.values()].map((m) => taskKey(m.project_id, m.task_id ?? ""))),
    [open],
  );
}
