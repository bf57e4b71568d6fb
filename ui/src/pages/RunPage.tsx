// One run: its conversation, answer, output and changes.

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Link } from "wouter";
import { get, path } from "../api/client";
import { useAgents } from "../api/queries";
import type { Run, RunFile } from "../api/types";
import { bytes, duration, fullTime, moment, shortRun } from "../lib/format";
import { places } from "../lib/places";
import { useNow } from "../lib/clock";
import { Age, NoSuch, Loading, Views } from "../parts/parts";
import { StateWord } from "../parts/Icon";
import { Crumbs } from "../parts/Crumbs";
import { StopButton } from "../task/actions";
import { UsageWords } from "../task/Usage";
import { useTask } from "../task/detail";
import { FileView, PatchView } from "../run/FileView";
import { MayRun } from "../parts/MayRun";
import { strings } from "../strings";

const ConversationView = lazy(() => import("../run/ConversationView"));
const LogView = lazy(() => import("../run/LogView"));

const VIEWS = ["conversation", "answer", "stdout", "stderr", "changes", "prompt", "record"] as const;
type ViewName = (typeof VIEWS)[number];

interface Props {
  project: string;
  task: string;
  run: string;
  view: string | undefined;
}

export default function RunPage({ project, task, run: name, view }: Props) {
  const feed = useTask(project, task);
  const known = feed.data?.runs.find((r) => r.id === name);
  if (feed.state === "loading" && known === undefined) return <Loading />;
  if (known === undefined)
    return <NoSuch title={strings.run.goneTitle} name={`${project}/${task}/${name}`} />;
  return <Shown run={known} runs={feed.data?.runs ?? []} view={view} />;
}

function Shown({ run, runs, view }: { run: Run; runs: Run[]; view: string | undefined }) {
  const ended = run.end_time !== undefined;
  // The set of files can change until the run has ended.
  const files = useQuery({
    queryKey: ["run-files", run.project_id, run.task_id, run.id, run.status],
    queryFn: ({ signal }) =>
      get<Run>(path`/api/projects/${run.project_id}/tasks/${run.task_id}/runs/${run.id}`, signal),
    placeholderData: (before) => before,
  });
  const sizes = new Map((files.data?.files ?? []).map((f: RunFile) => [f.name, f.size]));
  const agents = useAgents();
  const type = agents.data?.find((a) => a.name === run.agent)?.type ?? run.agent;
  // Before the first event, only the type of the agent tells if there will be a conversation.
  const speaks = sizes.has("events.jsonl") || (!ended && type !== "demo" && type !== "command");
  const complains = (run.status === "failed" || run.status === "crashed") && (sizes.get("stderr") ?? 0) > 0;
  const wanted = VIEWS.find((v) => v === view);
  const shown: ViewName | null =
    wanted ??
    (files.data === undefined || (!ended && agents.isPending)
      ? null
      : speaks
        ? "conversation"
        : complains
          ? "stderr"
          : ended && (sizes.get("output.md") ?? 0) > 0
            ? "answer"
            : "stdout");
  const next = runs.find((r) => r.previous_run_id === run.id);
  const previous = runs.find((r) => r.id === run.previous_run_id);
  const to = (v: ViewName): string => places.run(run.project_id, run.task_id, run.id, v);
  const note = (name: string): string | undefined => {
    const size = sizes.get(name);
    return size === undefined || size === 0 || !ended ? undefined : bytes(size);
  };
  return (
    <div className="page page-fill">
      <header className="page-head">
        <Crumbs project={run.project_id} task={run.task_id} />
        <div className="page-title">
          <h1>
            {shortRun(run.id)}
            {run.attempt !== undefined && (
              <span className="page-note">{strings.task.attempt(run.attempt)}</span>
            )}
          </h1>
          <StateWord status={run.status} />
          <span className="page-actions">
            <MayRun>{!ended && <StopButton project={run.project_id} task={run.task_id} />}</MayRun>
          </span>
        </div>
        {run.error_summary !== "" && <p className="why why-bad">{run.error_summary}</p>}
        <dl className="facts">
          <Fact name={strings.task.agent}>
            {run.agent}
            {run.agent_version !== undefined && ` ${run.agent_version}`}
          </Fact>
          {run.model !== undefined && <Fact name={strings.run.model}>{run.model}</Fact>}
          {run.start_time !== undefined && (
            <Fact name={strings.run.started}>
              <time dateTime={run.start_time} title={fullTime(run.start_time)}>
                {moment(run.start_time, Date.now())}
              </time>
            </Fact>
          )}
          <Took run={run} />
          {run.usage && (
            <Fact name={strings.task.usage}>
              <UsageWords usage={run.usage} />
            </Fact>
          )}
          {run.cwd !== undefined && (
            <Fact name={strings.run.folder}>
              <code className="cut" title={run.cwd}>
                {run.cwd}
              </code>
            </Fact>
          )}
          {previous && (
            <Fact name={strings.run.previous}>
              <Link to={places.run(run.project_id, run.task_id, previous.id)}>{shortRun(previous.id)}</Link>
            </Fact>
          )}
          {next && (
            <Fact name={strings.run.next}>
              <Link to={places.run(run.project_id, run.task_id, next.id)}>{shortRun(next.id)}</Link>
            </Fact>
          )}
        </dl>
        <Views
          label={strings.tree.runsTitle(1)}
          current={shown ?? ""}
          views={VIEWS.map((v) => ({
            id: v,
            label: strings.run.views[v],
            to: to(v),
            note: {
              stdout: note("stdout"),
              stderr: note("stderr"),
              changes: undefined,
              answer: undefined,
              prompt: undefined,
              record: undefined,
              conversation: undefined,
            }[v],
          }))}
        />
      </header>
      <Suspense fallback={<Loading />}>
        {shown === "conversation" && <ConversationView run={run} />}
        {shown === "answer" && <FileView run={run} name="output.md" empty={strings.run.noAnswer} markdown />}
        {shown === "stdout" && <LogView key="stdout" run={run} name="stdout" />}
        {shown === "stderr" && <LogView key="stderr" run={run} name="stderr" />}
        {shown === "changes" && <PatchView run={run} />}
        {shown === "prompt" && <FileView run={run} name="prompt" empty={strings.run.noAnswer} markdown />}
        {shown === "record" && <FileView run={run} name="run-info.yaml" empty={strings.run.noAnswer} />}
      </Suspense>
    </div>
  );
}

export function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Took({ run }: { run: Run }) {
  const now = useNow(run.end_time === undefined && run.status === "running" ? 1000 : null);
  if (run.start_time === undefined || run.status === "created") return null;
  const end = run.end_time === undefined ? now : Date.parse(run.end_time);
  return (
    <Fact name={run.end_time === undefined ? strings.run.runningFor : strings.run.took}>
      <span className="tabular">{duration(end - Date.parse(run.start_time))}</span>
      {run.end_time !== undefined && (
        <>
          , <Age at={run.end_time} />
        </>
      )}
    </Fact>
  );
}
