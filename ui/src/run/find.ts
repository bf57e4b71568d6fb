// The search in a whole log. The daemon searches, so the page fetches only the matches.

import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { get } from "../api/client";
import type { LineMatches, Run } from "../api/types";
import type { Log } from "./log";
import { linesPath } from "./pages";

/** Maximum number of matches to fetch. */
const MOST = 2000;

/** The search text, its matches, and functions to move between them. */
export function useFind(run: Run, name: string, log: Log, jump: (line: number) => void) {
  const [text, setText] = useState("");
  const [settled, setSettled] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 200);
    return () => clearTimeout(timer);
  }, [text]);
  const found = useQuery({
    queryKey: ["search", run.id, name, settled, Math.floor(log.size / 1_000_000)],
    queryFn: ({ signal }) =>
      get<LineMatches>(
        linesPath(run, `lines/search?name=${name}&q=${encodeURIComponent(settled)}&limit=${MOST}`),
        signal,
      ),
    enabled: settled !== "",
    gcTime: 10_000,
    placeholderData: (before, query) => (query?.queryKey[3] === settled ? before : undefined),
  });
  const matches = useMemo(() => found.data?.matches ?? [], [found.data]);
  useEffect(() => setAt(0), [settled]);
  const next = useCallback(
    (step: number) => {
      if (matches.length === 0) return;
      const to = ((at === 0 && step < 0 ? 0 : at - 1) + step + matches.length) % matches.length;
      const match = matches[at === 0 && step > 0 ? 0 : to];
      setAt((at === 0 && step > 0 ? 0 : to) + 1);
      if (match) jump(match.line + 1);
    },
    [matches, at, jump],
  );
  const pattern = useMemo(
    () => (settled === "" ? null : new RegExp(settled.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi")),
    [settled],
  );
  return {
    text,
    setText,
    next,
    at,
    total: matches.length,
    more: found.data?.more ?? false,
    pending: found.isFetching || text !== settled,
    pattern,
  };
}
