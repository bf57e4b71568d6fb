// A log as numbered lines. Only the lines in view are in memory.
//
// The daemon returns the offset of every nth line (the marks). The lines between two marks are a page, fetched when it
// comes into view. New output arrives by the stream: its last lines stay in memory, and older ones become pages.

import type { LineIndex } from "../api/types";
import type { LiveEvent } from "../live/stream";

/** The longest part of a line that is shown, in characters. */
export const WIDTH = 4000;
/** Maximum number of lines from the stream in memory. */
const KEPT = 20_000;
/** Approximate number of lines in a page. */
export const PAGE = 512;

/** The offset of a line. */
export interface Mark {
  line: number;
  offset: number;
}

/** A line; `more` is the number of its bytes that are not shown. */
export interface Line {
  text: string;
  more: number;
}

/** A log, changed in place; its feed counts the versions. */
export interface Log {
  count: number;
  size: number;
  marks: Mark[];
  /** The last lines, from number `tailFrom` on. */
  tail: Line[];
  tailFrom: number;
  /** True if the last line of the tail is incomplete. */
  open: boolean;
}

/** Creates a log from its index. */
export function logOf(index: LineIndex): Log {
  const marks = index.offsets.map((offset, n) => ({ line: n * index.every, offset }));
  return {
    count: index.lines,
    size: index.end,
    marks: marks.length > 0 ? marks : [{ line: 0, offset: 0 }],
    tail: [],
    tailFrom: index.lines,
    open: false,
  };
}

/** Applies an event of the file's stream. */
export function take(log: Log, event: LiveEvent): Log {
  if (event.type !== "text") return log;
  const [text, offset, end] = [event["text"] as string, event["offset"] as number, event["end"] as number];
  const mark = log.marks[log.marks.length - 1];
  if (!log.open && mark !== undefined && log.count - mark.line >= PAGE)
    log.marks.push({ line: log.count, offset });
  let from = 0;
  while (from < text.length) {
    const at = text.indexOf("\n", from);
    const to = at < 0 ? text.length : at;
    append(log, text, from, to);
    log.open = at < 0;
    from = to + 1;
  }
  log.size = end;
  if (log.tail.length > 2 * KEPT) {
    // Only at a mark, so that a page has the dropped lines.
    const first = log.count - KEPT;
    let keepFrom = log.tailFrom;
    for (let n = log.marks.length - 1; n >= 0; n -= 1) {
      const line = log.marks[n]?.line ?? 0;
      if (line <= first) {
        keepFrom = Math.max(keepFrom, line);
        break;
      }
    }
    log.tail.splice(0, keepFrom - log.tailFrom);
    log.tailFrom = keepFrom;
  }
  return log;
}

function append(log: Log, text: string, from: number, to: number): void {
  const length = to - from;
  if (log.open) {
    const last = log.tail[log.tail.length - 1];
    if (last !== undefined) {
      const room = Math.max(0, WIDTH - last.text.length);
      last.text += text.slice(from, from + Math.min(room, length));
      last.more += Math.max(0, length - room);
      return;
    }
  }
  log.tail.push({
    text: text.slice(from, from + Math.min(WIDTH, length)),
    more: Math.max(0, length - WIDTH),
  });
  log.count += 1;
}

/** Returns the page of a line (its offset and number of lines); `null` if the line is in the tail. */
export function pageOf(log: Log, line: number): { mark: Mark; lines: number } | null {
  if (line >= log.tailFrom) return null;
  let [low, high] = [0, log.marks.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((log.marks[middle]?.line ?? 0) <= line) low = middle;
    else high = middle - 1;
  }
  const mark = log.marks[low];
  if (mark === undefined) return null;
  const next = log.marks[low + 1]?.line ?? log.count;
  return { mark, lines: Math.min(next, Math.max(log.tailFrom, mark.line + 1)) - mark.line };
}
