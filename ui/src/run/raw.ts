// The lines that the daemon did not interpret. Their event only names them; their text comes from the output of the run.

import { useQuery } from "@tanstack/react-query";
import { send } from "../api/client";
import type { Run } from "../api/types";
import { linesPath } from "./pages";

/** Maximum number of bytes of such lines that are shown; the log has all. */
export const MOST_RAW = 64 * 1024;

/** Returns the beginning of the bytes of an event as text; `undefined` until it is there. */
export function useRawLines(run: Run, offset: number, length: number): string | undefined {
  const last = offset + Math.min(length, MOST_RAW) - 1;
  const text = useQuery({
    queryKey: ["raw-lines", run.project_id, run.task_id, run.id, offset, last],
    queryFn: async ({ signal }) => {
      const range = { Range: `bytes=${offset}-${last}` };
      return (await send(linesPath(run, "file?name=stdout"), { headers: range, signal })).text();
    },
    enabled: length > 0,
    staleTime: Infinity,
  });
  return text.data;
}
