// The messages of a bus, as the stream delivers them.

import type { Message } from "../api/types";
import { useFeed, type Feed, type Reading } from "../live/feed";

/** Number of messages at first; earlier ones are fetched on demand. */
export const TAIL = 200;

export const READING: Reading<Message[]> = {
  empty: () => [],
  take: (messages, event) => {
    if (event.type !== "message") return messages;
    const message = event["message"] as Message;
    // A merged bus may deliver a message late: it is sorted in by its id.
    const last = messages[messages.length - 1];
    if (last === undefined || order(last) < order(message)) return [...messages, message];
    if (messages.some((m) => m.msg_id === message.msg_id && m.task_id === message.task_id)) return messages;
    const at = messages.findIndex((m) => order(m) > order(message));
    return at < 0 ? [...messages, message] : [...messages.slice(0, at), message, ...messages.slice(at)];
  },
};

/** The sort key of messages: their time, then their id. */
export function order(message: Message): string {
  return `${message.timestamp} ${message.msg_id}`;
}

/** The topic of a bus: of a project with those of its tasks, or of one task. */
export function busTopic(project: string, task?: string): string {
  return task === undefined ? `bus:${project}/*` : `bus:${project}/${task}`;
}

/** The last messages of a bus, and every new one. */
export function useBus(project: string | null, task?: string): Feed<Message[]> {
  return useFeed(project === null ? null : busTopic(project, task), `tail=${TAIL}`, READING);
}
