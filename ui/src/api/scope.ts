// The scope of this tab's key: the page does not offer actions that the daemon would refuse.

import { useQuery } from "@tanstack/react-query";
import { get, storedKey } from "./client";
import type { WhoAsks } from "./types";

/** Returns true if the key allows starting, stopping and writing, or if no key is required. */
export function useMayRun(): boolean {
  const key = storedKey();
  const told = useQuery({
    queryKey: ["auth", key],
    queryFn: ({ signal }) => get<WhoAsks>("/api/v1/auth", signal),
    enabled: key !== null,
  });
  return told.data?.scope !== "read";
}
