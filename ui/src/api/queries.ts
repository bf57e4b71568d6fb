// Queries that several pages share.

import { useQuery } from "@tanstack/react-query";
import { get } from "./client";
import type { Agent } from "./types";

/** The configured agents, and their state. */
export function useAgents() {
  return useQuery({
    queryKey: ["agents"],
    queryFn: async ({ signal }) => (await get<{ agents: Agent[] }>("/api/v1/agents", signal)).agents,
    staleTime: 60_000,
  });
}

/** Folders of projects and runs, as suggestions. Each opened form fetches them again. */
export function useFolders(): string[] {
  const dirs = useQuery({
    queryKey: ["home-dirs"],
    queryFn: async ({ signal }) => (await get<{ dirs: string[] }>("/api/projects/home-dirs", signal)).dirs,
    staleTime: 0,
  });
  return dirs.data ?? [];
}
