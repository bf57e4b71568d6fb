// Messages as threads: an answer stands below its question.

import type { Message } from "../api/types";

export interface Thread {
  message: Message;
  replies: Thread[];
}

/** Groups messages, oldest first, into threads. An answer to a missing message is a thread of its own. */
export function threadsOf(messages: Message[]): Thread[] {
  const known = new Map<string, Thread>();
  const roots: Thread[] = [];
  for (const message of messages) {
    const thread: Thread = { message, replies: [] };
    // A parent must be older: a message that names a later one, or itself, is not an answer.
    const parent = (message.parents ?? []).map((id) => known.get(id)).find((t) => t !== undefined);
    if (parent) parent.replies.push(thread);
    else roots.push(thread);
    known.set(message.msg_id, thread);
  }
  return roots;
}
