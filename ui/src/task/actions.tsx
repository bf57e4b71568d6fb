// The actions on a task: stop and resume.

import { useMutation } from "@tanstack/react-query";
import { CircleStop, RotateCw } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { path, post, send } from "../api/client";
import { strings } from "../strings";

const Confirm = lazy(() => import("../parts/Confirm"));

interface Props {
  project: string;
  task: string;
}

function Problem({ error }: { error: unknown }) {
  return error === null ? null : (
    <span className="action-error" role="alert">
      {error instanceof Error ? error.message : String(error)}
    </span>
  );
}

/** Asks before stopping, because the agent's current step is lost. */
export function StopButton({ project, task }: Props) {
  const [asks, setAsks] = useState(false);
  const stop = useMutation({
    mutationFn: async () => {
      await send(path`/api/v1/tasks/${task}` + `?project_id=${encodeURIComponent(project)}`, {
        method: "DELETE",
      });
    },
  });
  return (
    <>
      <Problem error={stop.error} />
      <button
        type="button"
        className="button"
        disabled={stop.isPending || stop.isSuccess}
        onClick={() => setAsks(true)}
      >
        <CircleStop size={15} aria-hidden />
        {stop.isPending || stop.isSuccess ? strings.task.stopping : strings.task.stop}
      </button>
      {asks && (
        <Suspense fallback={null}>
          <Confirm
            title={strings.task.stopAsk}
            text={strings.task.stopText}
            action={strings.task.stop}
            close={() => setAsks(false)}
            confirm={() => {
              setAsks(false);
              stop.mutate();
            }}
          />
        </Suspense>
      )}
    </>
  );
}

export function ResumeButton({ project, task }: Props) {
  const resume = useMutation({
    mutationFn: () => post(path`/api/projects/${project}/tasks/${task}/resume`),
  });
  return (
    <>
      <Problem error={resume.error} />
      <button type="button" className="button" disabled={resume.isPending} onClick={() => resume.mutate()}>
        <RotateCw size={15} aria-hidden />
        {resume.isPending ? strings.task.resuming : strings.task.resume}
      </button>
    </>
  );
}
