// A whole file of a run: Markdown rendered, other files as text; and the diff of the run.

import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { ApiError, get, path } from "../api/client";
import type { FileText, Run } from "../api/types";
import { CopyButton, DownloadButton, Empty, Failure, Loading } from "../parts/parts";
import { DiffText, Markdown } from "../render/lazy";
import { strings } from "../strings";

export function useRunFile(run: Run, name: string) {
  return useQuery({
    // A live run may still write; an ended one does not.
    queryKey: ["file", run.project_id, run.task_id, run.id, name, run.status],
    queryFn: async ({ signal }) => {
      try {
        const base = path`/api/projects/${run.project_id}/tasks/${run.task_id}/runs/${run.id}/file`;
        return await get<FileText>(`${base}?name=${name}`, signal);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    staleTime: run.end_time === undefined ? 0 : Infinity,
  });
}

interface Props {
  run: Run;
  name: string;
  empty: string;
  markdown?: boolean;
}

export function FileView({ run, name, empty, markdown = false }: Props) {
  const file = useRunFile(run, name);
  if (file.isPending) return <Loading />;
  if (file.isError) return <Failure error={file.error} again={() => void file.refetch()} />;
  if (file.data === null || file.data.content.trim() === "") return <Empty title={empty} />;
  const { content } = file.data;
  const raw =
    path`/api/projects/${run.project_id}/tasks/${run.task_id}/runs/${run.id}/file` +
    `?name=${name}&format=raw`;
  return (
    <div className="file">
      <div className="toolbar">
        <span className="toolbar-gap" />
        <CopyButton text={content} />
        <DownloadButton
          address={raw}
          name={`${run.id}-${name.replace(/\.md$/, "")}.${markdown ? "md" : "txt"}`}
        />
      </div>
      <div className="file-text" tabIndex={0} role="region" aria-label={name}>
        {markdown ? (
          <Suspense fallback={<Loading />}>
            <Markdown text={content} />
          </Suspense>
        ) : (
          <pre className="plain">{content}</pre>
        )}
      </div>
    </div>
  );
}

export function PatchView({ run }: { run: Run }) {
  const file = useRunFile(run, "changes.patch");
  if (file.isPending) return <Loading />;
  if (file.isError) return <Failure error={file.error} again={() => void file.refetch()} />;
  if (file.data === null) return <Empty title={strings.task.notGit} />;
  if (file.data.content === "") return <Empty title={strings.task.noChanges} />;
  return (
    <div className="file-text">
      <Suspense fallback={<Loading />}>
        <DiffText text={file.data.content} />
      </Suspense>
    </div>
  );
}
