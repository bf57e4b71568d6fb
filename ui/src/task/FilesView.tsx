// The files of each run of a task, with a link to each.

import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { get, path } from "../api/client";
import type { TaskDetail } from "../api/types";
import { bytes, moment } from "../lib/format";
import { places } from "../lib/places";
import { StateIcon } from "../parts/Icon";
import { Card, Empty, Failure, Loading } from "../parts/parts";
import { strings } from "../strings";

/** The view of a run that shows a file. */
const VIEW_OF: Record<string, string> = {
  "output.md": "answer",
  stdout: "stdout",
  stderr: "stderr",
  prompt: "prompt",
  "events.jsonl": "conversation",
  "changes.patch": "changes",
  "run-info.yaml": "record",
};

export function FilesView({ task }: { task: TaskDetail }) {
  const files = useQuery({
    queryKey: ["task-files", task.project_id, task.id, task.last_activity],
    queryFn: ({ signal }) =>
      get<TaskDetail>(
        path`/api/projects/${task.project_id}/tasks/${task.id}` + "?include_files=true",
        signal,
      ),
    placeholderData: (before) => before,
  });
  if (files.isPending) return <Loading />;
  if (files.isError) return <Failure error={files.error} again={() => void files.refetch()} />;
  if (files.data.runs.length === 0) return <Empty title={strings.task.noRuns} />;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={strings.task.files}>
      {files.data.runs.toReversed().map((run) => (
        <Card
          key={run.id}
          title={
            <>
              <StateIcon status={run.status} /> {strings.task.attempt(run.attempt ?? 1)}
            </>
          }
          actions={
            <span className="card-note">
              {run.start_time === undefined ? "" : moment(run.start_time, Date.now())}
            </span>
          }
        >
          {(run.files ?? []).length === 0 ? (
            <p className="note">{strings.task.noFiles}</p>
          ) : (
            <ul className="list">
              {(run.files ?? []).map((file) => (
                <li key={file.name}>
                  <Link
                    to={places.run(run.project_id, run.task_id, run.id, VIEW_OF[file.name])}
                    className="list-row"
                  >
                    <span className="list-name">{file.label}</span>
                    <code className="list-note">{file.name}</code>
                    <span className="list-note tabular">{bytes(file.size)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          )}
        </Card>
      ))}
    </div>
  );
}
