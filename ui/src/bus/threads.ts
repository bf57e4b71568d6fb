// Messages as threads: an answer stands below what it answers.

import type { Message } from "../api/types";

export interface Thread {
  message: Message;
  replies: Thread[];
}

/** The threads among messages, which come oldest first. What answers a message that is not there stands alone. */
export function threadsOf(messages: Message[]): Thread[] {
  const known = new Map<string, Thread>();
  const roots: Thread[] = [];
  for (const message of messages) {
    const thread: Thread = { message, replies: [] };
    // Parents come before: a message that names a later one, or itself, answers nothing.
    const parent = (message.parents ?? []).map((id) => known.get(id)).find((t) => t !== undefined);
    if (parent) parent.replies.push(thread);
    else roots.push(thread);
    known.set(message.msg_id, thread);
  }
  return roots;
}
