// What has come since one looked: a mark per bus, kept in this browser.

import { useMemo } from "react";
import type { Message } from "../api/types";
import { External, useExternal } from "../lib/external";
import { kept, keepValue } from "../lib/persisted";
import { order } from "./bus";

/** The last message that was seen, by project. */
export const seen = new External<Readonly<Record<string, string>>>(kept("bus.seen", {}));
/** The last messages of the projects, as `Attention` follows them. */
export const recent = new External<ReadonlyMap<string, Message[]>>(new Map());

const MARKS = new Set(["RUN_START", "RUN_STOP", "RUN_CRASH", "TASK_DONE"]);

/** Whether a message only says that a run began or ended. */
export function isMark(message: Message): boolean {
  return MARKS.has(message.type);
}

/** Whether a message is to be looked at: somebody else said something. */
export function isNews(message: Message): boolean {
  return !isMark(message) && message.type !== "USER";
}

/** Sets the mark of a project behind a message. */
export function markSeen(project: string, message: Message): void {
  const before = seen.get()[project] ?? "";
  const now = order(message);
  if (now <= before) return;
  const next = { ...seen.get(), [project]: now };
  seen.set(next);
  keepValue("bus.seen", next);
}

/** How many messages of a project one has not seen. */
export function unreadOf(
  project: string,
  messages: Message[],
  marks: Readonly<Record<string, string>>,
): number {
  const mark = marks[project];
  // What was there before one came for the first time is no news.
  if (mark === undefined) return 0;
  return messages.filter((m) => isNews(m) && order(m) > mark).length;
}

/** How many messages of all projects one has not seen. */
export function useUnread(): number {
  const all = useExternal(recent);
  const marks = useExternal(seen);
  return useMemo(() => {
    let sum = 0;
    for (const [project, messages] of all) sum += unreadOf(project, messages, marks);
    return sum;
  }, [all, marks]);
}
