// The lines of a log by their numbers, fetched page by page as they are looked at.

import { useCallback, useRef, useState } from "react";
import { get, path } from "../api/client";
import type { Lines, Run } from "../api/types";
import { pageOf, WIDTH, type Line, type Log } from "./log";

/** So many pages are kept. */
const KEPT = 200;

/** An address below that of a run. */
export function linesPath(run: Run, more: string): string {
  return path`/api/projects/${run.project_id}/tasks/${run.task_id}/runs/${run.id}/` + more;
}

/** The text of a line, from the tail or from its page, which is fetched when it is wanted. */
export function usePages(run: Run, name: string, log: Log, version: number) {
  const cache = useRef(new Map<number, Line[] | "wanted">());
  const [, arrived] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const queue = useRef<Set<number>>(new Set());

  const fetchPage = useCallback(
    (offset: number, lines: number) => {
      const known = cache.current;
      known.set(offset, "wanted");
      get<Lines>(linesPath(run, `lines?name=${name}&offset=${offset}&limit=${lines}&width=${WIDTH}`)).then(
        (page) => {
          known.set(
            offset,
            page.lines.map(({ text, length }) => ({ text, more: Math.max(0, length - bytesOf(text)) })),
          );
          // Pages that nobody looks at are let go, oldest first.
          for (const [key, lines] of known) {
            if (known.size <= KEPT) break;
            if (lines !== "wanted") known.delete(key);
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
      const there = cache.current.get(page.mark.offset);
      if (there === undefined && !queue.current.has(page.mark.offset)) {
        queue.current.add(page.mark.offset);
        queueMicrotask(() => {
          queue.current.delete(page.mark.offset);
          fetchPage(page.mark.offset, page.lines);
        });
      }
      return Array.isArray(there) ? (there[n - page.mark.line] ?? null) : null;
    },
    [log, version, fetchPage],
  );
  return { line, pages: { error } };
}

const ENCODER = new TextEncoder();
const bytesOf = (text: string): number => ENCODER.encode(text).length;
