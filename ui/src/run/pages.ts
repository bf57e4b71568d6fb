// The lines of a log by number, fetched in pages when they come into view.

import { useCallback, useRef, useState } from "react";
import { get, path } from "../api/client";
import type { Lines, Run } from "../api/types";
import { pageOf, WIDTH, type Line, type Log } from "./log";

/** Maximum number of pages in memory. */
const KEPT = 200;
/** The daemon's limit for lines in one answer. */
const MOST = 5000;

/** Returns an address below that of a run. */
export function linesPath(run: Run, more: string): string {
  return path`/api/projects/${run.project_id}/tasks/${run.task_id}/runs/${run.id}/` + more;
}

/** A page: the lines that were requested (`asked`); there may be more by now. */
interface Page {
  asked: number;
  /** `null` while the request is in progress. */
  lines: Line[] | null;
}

/** Returns the text of a line, from the tail or from its page, which is fetched on demand. */
export function usePages(run: Run, name: string, log: Log, version: number) {
  const cache = useRef(new Map<number, Page>());
  const [, arrived] = useState(0);
  const [error, setError] = useState<unknown>(null);

  const fetchPage = useCallback(
    (offset: number, asked: number) => {
      const known = cache.current;
      const before = known.get(offset);
      known.set(offset, { asked, lines: before?.lines ?? null });
      fetchLines(run, name, offset, asked).then(
        (lines) => {
          known.set(offset, { asked, lines });
          // Pages out of view are dropped, oldest first.
          for (const [key, page] of known) {
            if (known.size <= KEPT) break;
            if (page.lines !== null) known.delete(key);
          }
          setError(null);
          arrived((n) => n + 1);
        },
        (e: unknown) => {
          known.delete(offset);
          setError(e);
        },
      );
    },
    [run, name],
  );
  const line = useCallback(
    (n: number): Line | null => {
      void version;
      const page = pageOf(log, n);
      if (page === null) return log.tail[n - log.tailFrom] ?? null;
      const { line: first, offset } = page.mark;
      const wanted = (): boolean => (cache.current.get(offset)?.asked ?? 0) < page.lines;
      // State must not change during a render.
      if (wanted()) queueMicrotask(() => wanted() && fetchPage(offset, page.lines));
      return cache.current.get(offset)?.lines?.[n - first] ?? null;
    },
    [log, version, fetchPage],
  );
  return { line, pages: { error } };
}

/** Fetches a number of lines from an offset on, with several requests if there are more than the daemon's limit. */
async function fetchLines(run: Run, name: string, offset: number, count: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (let next = offset; lines.length < count;) {
    const limit = Math.min(MOST, count - lines.length);
    const page = await get<Lines>(
      linesPath(run, `lines?name=${name}&offset=${next}&limit=${limit}&width=${WIDTH}`),
    );
    if (page.lines.length === 0) break;
    for (const { text, length } of page.lines) {
      lines.push({ text, more: Math.max(0, length - bytesOf(text)) });
    }
    next = page.end;
  }
  return lines;
}

const ENCODER = new TextEncoder();
const bytesOf = (text: string): number => ENCODER.encode(text).length;
