// What the key of this tab allows: a daemon refuses the rest, so that the page does not offer it.

import { useQuery } from "@tanstack/react-query";
import { get, storedKey } from "./client";
import type { WhoAsks } from "./types";

/** Whether tasks can be started and stopped, and messages written. Where no key is needed, everybody may. */
export function useMayRun(): boolean {
  const key = storedKey();
  const told = useQuery({
    queryKey: ["auth", key],
    queryFn: ({ signal }) => get<WhoAsks>("/api/v1/auth", signal),
    enabled: key !== null,
  });
  return told.data?.scope !== "read";
}
