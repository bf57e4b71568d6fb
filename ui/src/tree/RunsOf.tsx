// Loads the runs of an open task into the tree. Renders nothing.

import { useEffect } from "react";
import type { Run } from "../api/types";
import { useTask } from "../task/detail";
import { taskKey } from "./tree";

interface Props {
  project: string;
  task: string;
  told: (key: string, runs: Run[] | null) => void;
}

export function RunsOf({ project, task, told }: Props) {
  const runs = useTask(project, task).data?.runs;
  const key = taskKey(project, task);
  useEffect(() => {
    if (runs) told(key, runs);
  }, [key, runs, told]);
  useEffect(() => () => told(key, null), [key, told]);
  return null;
}
