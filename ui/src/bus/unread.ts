// Unread messages: the last message seen on each bus, stored in this browser.

import { useMemo } from "react";
import type { Message } from "../api/types";
import { External, useExternal } from "../lib/external";
import { kept, keepValue } from "../lib/persisted";
import { order } from "./bus";

/** The id of the last message seen, by project. */
export const seen = new External<Readonly<Record<string, string>>>(kept("bus.seen", {}));
/** The last messages of the projects, as `Attention` follows them. */
export const recent = new External<ReadonlyMap<string, Message[]>>(new Map());

const MARKS = new Set(["RUN_START", "RUN_STOP", "RUN_CRASH", "TASK_DONE"]);

/** Returns true if a message only reports the start or the end of a run. */
export function isMark(message: Message): boolean {
  return MARKS.has(message.type);
}

/** Returns true if a message counts as unread: it was not written by the user and is not about a start or an end. */
export function isNews(message: Message): boolean {
  return !isMark(message) && message.type !== "USER";
}

/** Marks the messages of a project up to this one as seen. */
export function markSeen(project: string, message: Message): void {
  const before = seen.get()[project] ?? "";
  const now = order(message);
  if (now <= before) return;
  const next = { ...seen.get(), [project]: now };
  seen.set(next);
  keepValue("bus.seen", next);
}

/** Returns the number of unread messages of a project. */
export function unreadOf(
  project: string,
  messages: Message[],
  marks: Readonly<Record<string, string>>,
): number {
  const mark = marks[project];
  // Messages from before the first visit are not unread.
  if (mark === undefined) return 0;
  return messages.filter((m) => isNews(m) && order(m) > mark).length;
}

/** Returns the number of unread messages of all projects. */
export function useUnread(): number {
  const all = useExternal(recent);
  const marks = useExternal(seen);
  return useMemo(() => {
    let sum = 0;
    for (const [project, messages] of all) sum += unreadOf(project, messages, marks);
    return sum;
  }, [all, marks]);
}
