// One task: prompt, status, runs, usage, changes, files and messages.

import { useQuery } from "@tanstack/react-query";
import { CornerDownRight } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { Link } from "wouter";
import { ApiError, get, path } from "../api/client";
import type { FileText, Run, TaskDetail } from "../api/types";
import { BusView } from "../bus/BusView";
import { questions } from "../bus/questions";
import { useNow } from "../lib/clock";
import { useExternal } from "../lib/external";
import { isAnswer } from "../lib/answer";
import { duration, shortRun, shortTask } from "../lib/format";
import { places } from "../lib/places";
import { whyOf } from "../lib/why";
import { Question } from "../overview/Lists";
import { Crumbs } from "../parts/Crumbs";
import { StateIcon, StateWord } from "../parts/Icon";
import { Age, Card, Command, CopyButton, Empty, NoSuch, Inline, Loading, Views } from "../parts/parts";
import { Graph, Markdown } from "../render/lazy";
import { PatchView, useRunFile } from "../run/FileView";
import { MayRun } from "../parts/MayRun";
import { strings } from "../strings";
import { ResumeButton, StopButton } from "../task/actions";
import { FilesView } from "../task/FilesView";
import { dependenciesOf } from "../task/graph";
import { useTask } from "../task/detail";
import { Timeline } from "../task/Timeline";
import { sumUsage, UsageTable } from "../task/Usage";
import { taskKey, useTree } from "../tree/tree";
import { Fact } from "./RunPage";

const TaskLog = lazy(() => import("../run/TaskLog"));
const VIEWS = ["overview", "messages", "log", "changes", "files"] as const;

interface Props {
  project: string;
  task: string;
  view: string | undefined;
}

export default function TaskPage({ project, task: name, view }: Props) {
  const feed = useTask(project, name);
  const task = feed.data;
  if (task === null) {
    return feed.state === "loading" ? (
      <Loading />
    ) : (
      <NoSuch title={strings.task.goneTitle} name={`${project}/${name}`} />
    );
  }
  const shown = VIEWS.find((v) => v === view) ?? "overview";
  const live = task.status === "running" || task.status === "queued" || task.status === "blocked";
  return (
    <div className={`page${shown === "overview" ? "" : " page-fill"}`}>
      <header className="page-head">
        <Crumbs project={project} />
        <div className="page-title">
          <h1 title={task.id}>{shortTask(task.id)}</h1>
          <StateWord status={task.status} />
          <span className="page-actions">
            <MayRun>
              {live ? (
                <StopButton project={project} task={name} />
              ) : (
                task.status !== "idle" && <ResumeButton project={project} task={name} />
              )}
            </MayRun>
          </span>
        </div>
        <p className={`why${task.status === "failed" ? " why-bad" : ""}`}>
          <Inline text={whyOf(task)} />
        </p>
        <Views
          label={strings.nav.tasks}
          current={shown}
          views={VIEWS.map((v) => ({
            id: v,
            label: strings.task.views[v],
            to: places.task(project, name, v === "overview" ? undefined : v),
          }))}
        />
      </header>
      <Suspense fallback={<Loading />}>
        {shown === "overview" && <Overview task={task} />}
        {shown === "messages" && <BusView project={project} task={name} />}
        {shown === "log" && <TaskLog task={task} live={live} />}
        {shown === "changes" && <Changes task={task} />}
        {shown === "files" && <FilesView task={task} />}
      </Suspense>
    </div>
  );
}

function useTaskFile(task: TaskDetail, name: string) {
  return useQuery({
    queryKey: ["task-file", task.project_id, task.id, name, task.last_activity],
    queryFn: async ({ signal }) => {
      try {
        return await get<FileText>(
          path`/api/projects/${task.project_id}/tasks/${task.id}/file` + `?name=${name}`,
          signal,
        );
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    placeholderData: (before) => before,
  });
}

function Overview({ task }: { task: TaskDetail }) {
  const tree = useTree();
  const prompt = useTaskFile(task, "TASK.md");
  const state = useTaskFile(task, "TASK_STATE.md");
  const last = task.runs[0];
  const { data, version } = tree;
  const graph = useMemo(
    () => dependenciesOf(data, task),
    // The maps are changed in place, so their version is the dependency.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version, task],
  );
  const children = useMemo(
    () =>
      [...data.tasks.values()].filter(
        (t) => t.project_id === task.project_id && t.parent_task_id === task.id,
      ),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version, task],
  );
  return (
    <div className="grid">
      <div className="grid-main">
        <Asks task={task} />
        <Answer runs={task.runs.filter((run) => run.end_time !== undefined).slice(0, ANSWERS)} />
        <Card title={strings.task.prompt} actions={prompt.data && <CopyButton text={prompt.data.content} />}>
          {prompt.isPending ? <Loading /> : <Clamped text={prompt.data?.content ?? ""} />}
        </Card>
        {state.data && state.data.content.trim() !== "" && (
          <Card title={strings.task.state}>
            <Clamped text={state.data.content} />
          </Card>
        )}
        <Card
          title={strings.task.timeline}
          actions={<span className="card-note">{strings.tree.runsTitle(task.runs.length)}</span>}
        >
          <Timeline task={task} />
        </Card>
        {graph !== null && (
          <Card title={strings.task.graph}>
            <Suspense fallback={<Loading />}>
              <Graph nodes={graph.nodes} edges={graph.edges} current={taskKey(task.project_id, task.id)} />
            </Suspense>
          </Card>
        )}
      </div>
      <div className="grid-side">
        <Card title={strings.task.usage}>
          <TotalUsage runs={task.runs} />
        </Card>
        <Card title={strings.task.agent}>
          <dl className="facts facts-tall">
            <Fact name={strings.task.agent}>{task.agent}</Fact>
            {task.created_at !== undefined && (
              <Fact name={strings.task.created}>
                <Age at={task.created_at} />
              </Fact>
            )}
            {last?.cwd !== undefined && (
              <Fact name={strings.run.folder}>
                <code>{last.cwd}</code>
              </Fact>
            )}
            {task.parent_task_id !== undefined && (
              <Fact name={strings.task.parent}>
                <Link to={places.task(task.project_id, task.parent_task_id)}>
                  {shortTask(task.parent_task_id)}
                </Link>
              </Fact>
            )}
            {task.thread_parent && (
              <Fact name={strings.task.answers}>
                <Link
                  to={`${places.task(task.thread_parent.project_id, task.thread_parent.task_id, "messages")}#${task.thread_parent.message_id}`}
                >
                  {shortTask(task.thread_parent.task_id)}
                </Link>
              </Fact>
            )}
          </dl>
        </Card>
        {children.length > 0 && (
          <Card title={strings.task.child}>
            <ul className="list">
              {children.map((child) => (
                <li key={child.id}>
                  <Link to={places.task(child.project_id, child.id)} className="list-row">
                    <CornerDownRight size={14} aria-hidden />
                    <StateIcon status={child.status} />
                    <span className="list-name">{shortTask(child.id)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </Card>
        )}
        <Card title={strings.task.delete}>
          <p className="note">{strings.task.deleteHint}</p>
          <Command text={`run-agent task delete ${task.project_id}/${task.id}`} />
        </Card>
      </div>
    </div>
  );
}

/** The open questions of the task. */
function Asks({ task }: { task: TaskDetail }) {
  const open = [...useExternal(questions).values()].filter(
    (m) => m.project_id === task.project_id && m.task_id === task.id,
  );
  return (
    open.length > 0 && (
      <Card title={strings.task.question} className="card-loud">
        <ul className="list">
          {open.map((message) => (
            <li key={message.msg_id}>
              <Question message={message} />
            </li>
          ))}
        </ul>
      </Card>
    )
  );
}

/** Maximum number of runs to search for an answer. */
const ANSWERS = 20;

/** The answer of the newest run that has one: a run without an answer does not hide an earlier answer. */
function Answer({ runs }: { runs: Run[] }) {
  const [run, ...older] = runs;
  return run === undefined ? null : <AnswerOf key={run.id} run={run} older={older} />;
}

function AnswerOf({ run, older }: { run: Run; older: Run[] }) {
  const file = useRunFile(run, "output.md");
  if (file.isPending) return null;
  const text = file.data?.content ?? "";
  if (!isAnswer(text)) return <Answer runs={older} />;
  return (
    <Card
      title={strings.task.answer}
      actions={
        <>
          <Link className="card-link" to={places.run(run.project_id, run.task_id, run.id)}>
            {strings.task.answerOf(shortRun(run.id))}
          </Link>
          <CopyButton text={text} />
        </>
      }
    >
      <Clamped text={text} />
    </Card>
  );
}

/** A long text, folded until the user expands it. */
function Clamped({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  const long = text.length > 1500 || text.split("\n").length > 24;
  return (
    <div>
      <div className={long && !all ? "clamped" : undefined}>
        <Suspense fallback={<p className="plain">{text.slice(0, 1500)}</p>}>
          <Markdown text={text} />
        </Suspense>
      </div>
      {long && (
        <button type="button" className="link-button" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? strings.task.less : strings.task.more}
        </button>
      )}
    </div>
  );
}

function TotalUsage({ runs }: { runs: Run[] }) {
  const live = runs.some((r) => r.status === "running" && r.end_time === undefined);
  const now = useNow(live ? 1000 : null);
  const time = runs.reduce((sum, run) => {
    if (run.start_time === undefined || run.status === "created") return sum;
    const end =
      run.end_time === undefined ? (run.status === "running" ? now : null) : Date.parse(run.end_time);
    return end === null ? sum : sum + end - Date.parse(run.start_time);
  }, 0);
  const begun = runs.some((r) => r.start_time !== undefined && r.status !== "created");
  return <UsageTable usage={sumUsage(runs)} time={begun ? duration(time) : null} live={live} />;
}

function Changes({ task }: { task: TaskDetail }) {
  const ended = task.runs.filter((r) => r.start_time !== undefined && r.status !== "created");
  const [chosen, setChosen] = useState<string | null>(null);
  const run =
    ended.find((r) => r.id === chosen) ?? ended.find((r) => (r.diffstat?.files ?? 0) > 0) ?? ended[0];
  if (run === undefined) return <Empty title={strings.task.noRuns} />;
  return (
    <>
      <div className="toolbar">
        <label className="toolbar-field">
          <span>{strings.task.diffOf}</span>
          <select value={run.id} onChange={(e) => setChosen(e.target.value)}>
            {ended.map((r) => (
              <option key={r.id} value={r.id}>
                {strings.task.attempt(r.attempt ?? 1)}
                {r.diffstat ? ` (+${r.diffstat.insertions} −${r.diffstat.deletions})` : ""}
              </option>
            ))}
          </select>
        </label>
      </div>
      <PatchView key={run.id} run={run} />
    </>
  );
}
