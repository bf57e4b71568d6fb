// What several pages ask for once.

import { useQuery } from "@tanstack/react-query";
import { get } from "./client";
import type { Agent } from "./types";

/** The agents that are configured, and which of them can be used. */
export function useAgents() {
  return useQuery({
    queryKey: ["agents"],
    queryFn: async ({ signal }) => (await get<{ agents: Agent[] }>("/api/v1/agents", signal)).agents,
    staleTime: 60_000,
  });
}

/** Folders that projects and runs work in: suggestions, asked for anew by each form that is opened. */
export function useFolders(): string[] {
  const dirs = useQuery({
    queryKey: ["home-dirs"],
    queryFn: async ({ signal }) => (await get<{ dirs: string[] }>("/api/projects/home-dirs", signal)).dirs,
    staleTime: 0,
  });
  return dirs.data ?? [];
}
