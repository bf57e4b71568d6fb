// Turns the events of a run into a conversation: joins the parts of a text, and puts results beside their calls.

import type { Usage } from "../api/types";
import type { LiveEvent } from "../live/stream";

interface Base {
  offset: number;
  part?: number;
  time?: string;
  within?: string;
  clipped?: boolean;
}

/** A line of events.jsonl. */
export type RunEvent = Base &
  (
    | { type: "session"; thread_id?: string; model?: string; agent_version?: string }
    | { type: "message"; role: "user" | "assistant" | "system"; text: string; partial?: boolean }
    | { type: "reasoning"; text: string }
    | { type: "tool_call"; call_id?: string; tool: string; input: unknown }
    | {
        type: "tool_result";
        call_id?: string;
        tool?: string;
        status: "ok" | "error" | "denied";
        output: string;
        exit_code?: number;
      }
    | { type: "file_change"; path: string; change: "add" | "update" | "delete"; diff?: string }
    | { type: "usage"; scope: string; usage: Usage }
    | {
        type: "error";
        class: string;
        message: string;
        http_status?: number;
        retry_at?: string;
        retry_after?: number;
        retried?: boolean;
      }
    | { type: "turn_end"; outcome: "completed" | "failed" | "interrupted"; message?: string }
    /** With `lines` the event covers several lines, `length` bytes, and has no text. */
    | { type: "raw"; reason: string; text: string; lines?: number; length?: number }
  );

export type ToolResult = Extract<RunEvent, { type: "tool_result" }>;

/** An entry of the conversation. */
export interface Item {
  key: string;
  event: RunEvent;
  /** The result of a tool call. */
  result?: ToolResult;
}

/** A conversation, changed in place. */
export interface Conversation {
  items: Item[];
  /** Indices of the calls without a result, by name. */
  calls: Map<string, number>;
  /** The beginning of an incomplete line. */
  rest: string;
  started: boolean;
}

export const emptyConversation = (): Conversation => ({
  items: [],
  calls: new Map(),
  rest: "",
  started: false,
});

/** Adds a piece of events.jsonl. */
export function takeEvents(conversation: Conversation, event: LiveEvent): Conversation {
  if (event.type !== "text") return conversation;
  const lines = (conversation.rest + (event["text"] as string)).split("\n");
  conversation.rest = lines.pop() ?? "";
  for (const line of lines) {
    if (line === "") continue;
    try {
      add(conversation, JSON.parse(line) as RunEvent);
    } catch {
      // A damaged line is skipped.
    }
  }
  return conversation;
}

export function add(conversation: Conversation, event: RunEvent): void {
  conversation.started = true;
  const { items, calls } = conversation;
  const last = items[items.length - 1];
  const before = last?.event;
  const key = `${event.offset}.${event.part ?? 1}`;
  switch (event.type) {
    case "message":
      // A streamed message arrives in parts, which form one text.
      if (
        last !== undefined &&
        before?.type === "message" &&
        before.partial === true &&
        before.role === event.role &&
        before.within === event.within
      ) {
        items[items.length - 1] = { ...last, event: { ...event, text: before.text + event.text } };
        return;
      }
      break;
    case "reasoning":
      if (last !== undefined && before?.type === "reasoning" && before.within === event.within) {
        items[items.length - 1] = { ...last, event: { ...event, text: `${before.text}\n\n${event.text}` } };
        return;
      }
      break;
    case "raw":
      // Lines that follow each other are one entry, however often the daemon has stored some of them.
      if (
        last !== undefined &&
        before?.type === "raw" &&
        before.lines !== undefined &&
        event.lines !== undefined &&
        before.reason === event.reason &&
        before.offset + (before.length ?? 0) === event.offset
      ) {
        const [lines, length] = [before.lines + event.lines, (before.length ?? 0) + (event.length ?? 0)];
        items[items.length - 1] = { ...last, event: { ...before, lines, length } };
        return;
      }
      break;
    case "tool_call":
      if (event.call_id !== undefined) calls.set(event.call_id, items.length);
      break;
    case "tool_result": {
      const at = event.call_id === undefined ? undefined : calls.get(event.call_id);
      const call = at === undefined ? undefined : items[at];
      if (at !== undefined && call !== undefined) {
        items[at] = { ...call, result: event };
        return;
      }
      break;
    }
    case "usage":
      // Many agents report usage with each step; the run's record has the sum.
      return;
    case "turn_end":
      // The answer is already there as a message.
      if (
        before?.type === "message" &&
        before.role === "assistant" &&
        before.text.trim() === event.message?.trim()
      ) {
        const end = { ...event };
        delete end.message;
        items.push({ key, event: end });
        return;
      }
      break;
  }
  items.push({ key, event });
}

/** Summarizes a tool call in one line. */
export function gist(input: unknown): string {
  if (typeof input === "string") return oneLine(input);
  if (typeof input !== "object" || input === null) return "";
  const fields = input as Record<string, unknown>;
  for (const name of [
    "command",
    "cmd",
    "file_path",
    "filePath",
    "path",
    "pattern",
    "query",
    "url",
    "description",
    "prompt",
  ]) {
    const value = fields[name];
    if (typeof value === "string" && value !== "") return oneLine(value);
    if (Array.isArray(value) && value.every((v) => typeof v === "string")) return oneLine(value.join(" "));
  }
  const text = JSON.stringify(input);
  return text === "{}" ? "" : oneLine(text);
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** Returns the change of an editing tool's call (path, old and new text), if it is one. */
export function edits(input: unknown): { path: string; before: string; after: string }[] {
  if (typeof input !== "object" || input === null) return [];
  const fields = input as Record<string, unknown>;
  const text = (o: Record<string, unknown>, ...names: string[]): string | undefined => {
    for (const name of names) if (typeof o[name] === "string") return o[name] as string;
    return undefined;
  };
  const path = text(fields, "file_path", "filePath", "path");
  if (path === undefined) return [];
  const one = (o: Record<string, unknown>) => {
    const before = text(o, "old_string", "oldString", "old_str");
    const after = text(o, "new_string", "newString", "new_str");
    return before === undefined || after === undefined ? [] : [{ path, before, after }];
  };
  const list = fields["edits"];
  if (Array.isArray(list)) {
    return list.flatMap((e: unknown) =>
      typeof e === "object" && e !== null ? one(e as Record<string, unknown>) : [],
    );
  }
  return one(fields);
}
