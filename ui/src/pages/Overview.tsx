// What needs somebody now, what runs, what waits, what it comes to.

import { useQuery } from "@tanstack/react-query";
import { Check, CircleAlert, MessageCircleQuestion, Plus } from "lucide-react";
import { Suspense, useEffect, useMemo, useState } from "react";
import { Link } from "wouter";
import { get } from "../api/client";
import type { Agent, Message, Status, TaskItem, Usage } from "../api/types";
import { questions } from "../bus/questions";
import { useNow } from "../lib/clock";
import { useExternal } from "../lib/external";
import { bytes, count, dollars, duration, shortTask } from "../lib/format";
import { usePersisted } from "../lib/persisted";
import { places } from "../lib/places";
import { whyOf } from "../lib/why";
import { StateIcon } from "../parts/Icon";
import { Age, Card, Empty, Failure, Loading } from "../parts/parts";
import { Chart } from "../render/lazy";
import { strings } from "../strings";
import { taskKey, useTree } from "../tree/tree";

/** So many entries of a list are shown at first. */
const SHOWN = 8;
/** A failure older than this is history. */
const RECENT = 3 * 86_400_000;

export default function Overview() {
  const { data, version, state } = useTree();
  const open = useExternal(questions);
  const [dismissed, setDismissed] = usePersisted<string[]>("overview.seen", []);
  const tasks = useMemo(
    () => [...data.tasks.values()],
    // The maps are changed in place: their version says when.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version],
  );
  const seen = new Set(dismissed);
  const asking = [...open.values()]
    .filter((m) => !seen.has(m.msg_id))
    .sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
  const dismiss = (key: string): void => setDismissed((list) => [...list.slice(-500), key]);
  const newest = (a: TaskItem, b: TaskItem): number =>
    (a.last_activity ?? "") < (b.last_activity ?? "") ? 1 : -1;
  const failed = tasks
    .filter(
      (t) =>
        t.status === "failed" &&
        Date.now() - Date.parse(t.last_activity ?? "") < RECENT &&
        !seen.has(failureKey(t)),
    )
    .sort(newest);
  const running = tasks.filter((t) => t.status === "running").sort(newest);
  const waiting = tasks
    .filter((t) => t.status === "queued" || t.status === "blocked")
    .sort((a, b) => (a.queue_position ?? 1e9) - (b.queue_position ?? 1e9));
  const ended = tasks.filter((t) => t.status !== "running").length;

  if (state === "loading" && tasks.length === 0) return <Loading />;
  return (
    <div className="page">
      <header className="page-head page-head-tight">
        <div className="page-title">
          <h1>{strings.overview.title}</h1>
          <span className="page-actions">
            <Link className="button" to={places.newProject}>
              <Plus size={15} aria-hidden />
              {strings.nav.newProject}
            </Link>
          </span>
        </div>
      </header>
      <div className="grid">
        <div className="grid-main">
          <Card
            title={strings.overview.attention}
            className={asking.length + failed.length > 0 ? "card-loud" : ""}
            actions={<Count n={asking.length + failed.length} />}
          >
            {asking.length + failed.length === 0 ? (
              <Empty title={strings.overview.nothingNeeded}>
                <p>{strings.overview.nothingNeededHint}</p>
              </Empty>
            ) : (
              <More
                items={[...asking.map((q) => ({ q })), ...failed.map((t) => ({ t }))]}
                keyOf={(i) => ("q" in i ? i.q.msg_id : taskKey(i.t.project_id, i.t.id))}
                show={(i) =>
                  "q" in i ? (
                    <Question message={i.q} dismiss={() => dismiss(i.q.msg_id)} />
                  ) : (
                    <Failed task={i.t} dismiss={() => dismiss(failureKey(i.t))} />
                  )
                }
              />
            )}
          </Card>
          <Card title={strings.overview.running} actions={<Count n={running.length} />}>
            {running.length === 0 ? (
              <Empty title={strings.overview.nothingRuns}>
                <Link className="button" to={places.newTask}>
                  {strings.nav.newTask}
                </Link>
              </Empty>
            ) : (
              <More
                items={running}
                keyOf={(t) => taskKey(t.project_id, t.id)}
                show={(t) => <TaskLine task={t} />}
              />
            )}
          </Card>
          {waiting.length > 0 && (
            <Card title={strings.overview.queue} actions={<Count n={waiting.length} />}>
              <More
                items={waiting}
                keyOf={(t) => taskKey(t.project_id, t.id)}
                show={(t) => <TaskLine task={t} />}
              />
            </Card>
          )}
          <Activity ended={ended} />
        </div>
        <div className="grid-side">
          <Machine running={running.length} />
          <Agents />
          <Disk />
        </div>
      </div>
    </div>
  );
}

const failureKey = (task: TaskItem): string =>
  `${taskKey(task.project_id, task.id)} ${task.last_activity ?? ""}`;

function Count({ n }: { n: number }) {
  return n === 0 ? null : <span className="card-count">{n}</span>;
}

function More<T>({
  items,
  keyOf,
  show,
}: {
  items: T[];
  keyOf: (item: T) => string;
  show: (item: T) => React.ReactNode;
}) {
  const [all, setAll] = useState(false);
  const shown = all ? items : items.slice(0, SHOWN);
  return (
    <>
      <ul className="list">
        {shown.map((item) => (
          <li key={keyOf(item)}>{show(item)}</li>
        ))}
      </ul>
      {items.length > shown.length && (
        <button type="button" className="link-button" onClick={() => setAll(true)}>
          {strings.overview.more(items.length - shown.length)}
        </button>
      )}
    </>
  );
}

function Question({ message, dismiss }: { message: Message; dismiss: () => void }) {
  const to =
    message.task_id === undefined
      ? places.projectBus(message.project_id)
      : places.task(message.project_id, message.task_id, "messages");
  return (
    <div className="list-pair">
      <Link to={`${to}#${message.msg_id}`} className="list-row list-tall">
        <MessageCircleQuestion size={18} className="state-asks" aria-hidden />
        <span className="list-text">
          <span className="list-name">{message.body}</span>
          <span className="list-sub">
            {message.task_id === undefined ? message.project_id : shortTask(message.task_id)},{" "}
            <Age at={message.timestamp} />
          </span>
        </span>
      </Link>
      <Link to={`${to}#${message.msg_id}`} className="button small">
        {strings.overview.answer}
      </Link>
      <Dismiss dismiss={dismiss} />
    </div>
  );
}

function Dismiss({ dismiss }: { dismiss: () => void }) {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={strings.overview.dismiss}
      title={strings.overview.dismiss}
      onClick={dismiss}
    >
      <Check size={16} aria-hidden />
    </button>
  );
}

function Failed({ task, dismiss }: { task: TaskItem; dismiss: () => void }) {
  return (
    <div className="list-pair">
      <Link to={places.task(task.project_id, task.id)} className="list-row list-tall">
        <CircleAlert size={18} className="state-failed" aria-hidden />
        <span className="list-text">
          <span className="list-name">{shortTask(task.id)}</span>
          <span className="list-sub">{whyOf(task)}</span>
        </span>
      </Link>
      <Dismiss dismiss={dismiss} />
    </div>
  );
}

function TaskLine({ task }: { task: TaskItem }) {
  return (
    <Link to={places.task(task.project_id, task.id)} className="list-row list-tall">
      <StateIcon status={task.status} size={18} />
      <span className="list-text">
        <span className="list-name">{shortTask(task.id)}</span>
        <span className="list-sub">
          {task.status === "running" ? `${task.project_id}, ${task.agent}` : whyOf(task)}
        </span>
      </span>
      {task.queue_position !== undefined && <span className="list-note">#{task.queue_position}</span>}
      {task.run_count > 1 && <span className="list-note">{strings.tree.runs(task.run_count)}</span>}
      <span className="list-note">
        <Age at={task.last_activity} bare />
      </span>
    </Link>
  );
}

interface Activities {
  since: string;
  step: number;
  steps: { start: string; ended: number; completed: number; unpriced: number; usage: Usage }[];
}

const PERIODS = { day: [86_400, 3600], week: [7 * 86_400, 6 * 3600], month: [30 * 86_400, 86_400] } as const;

function Activity({ ended }: { ended: number }) {
  const [period, setPeriod] = usePersisted<keyof typeof PERIODS>("overview.period", "day");
  const [length, step] = PERIODS[period] ?? PERIODS.day;
  // Asked for anew when a task has ended, and not otherwise.
  const [settled, setSettled] = useState(ended);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(ended), 2000);
    return () => clearTimeout(timer);
  }, [ended]);
  const activity = useQuery({
    queryKey: ["activity", period, settled],
    queryFn: ({ signal }) => {
      const whole = (t: number): number => Math.ceil(t / (step * 1000)) * step * 1000;
      const since = new Date(whole(Date.now()) - length * 1000).toISOString();
      return get<Activities>(`/api/v1/activity?since=${since}&step=${step}`, signal);
    },
    placeholderData: (before) => before,
  });
  const chooser = (
    <div className="chips" role="group" aria-label={strings.overview.window.label}>
      {(Object.keys(PERIODS) as (keyof typeof PERIODS)[]).map((p) => (
        <button key={p} type="button" aria-pressed={p === period} onClick={() => setPeriod(p)}>
          {strings.overview.window[p]}
        </button>
      ))}
    </div>
  );
  return (
    <Card title={strings.overview.spent} actions={chooser}>
      {activity.isPending && <Loading />}
      {activity.isError && <Failure error={activity.error} again={() => void activity.refetch()} />}
      {activity.data && <Charts data={activity.data} length={length} />}
    </Card>
  );
}

function Charts({ data, length }: { data: Activities; length: number }) {
  const series = useMemo(() => {
    const start = Date.parse(data.since) / 1000;
    const n = Math.ceil(length / data.step);
    const at = Array.from({ length: n }, (_, i) => start + i * data.step);
    const by = new Map(
      data.steps.map((s) => [Math.round((Date.parse(s.start) / 1000 - start) / data.step), s]),
    );
    const pick = (f: (s: Activities["steps"][number]) => number): number[] =>
      at.map((_, i) => {
        const step = by.get(i);
        return step === undefined ? 0 : f(step);
      });
    return {
      at,
      good: pick((s) => s.completed),
      all: pick((s) => s.ended),
      tokens: pick((s) => (s.usage.input_tokens ?? 0) + (s.usage.output_tokens ?? 0)),
      cost: pick((s) => s.usage.cost_usd ?? 0),
    };
  }, [data, length]);
  const sum = (list: number[]): number => list.reduce((a, b) => a + b, 0);
  const ended = sum(series.all);
  if (ended === 0) return <Empty title={strings.overview.noData} />;
  const good = sum(series.good);
  const unpriced = data.steps.reduce((n, s) => n + s.unpriced, 0);
  return (
    <>
      <dl className="figures">
        <div>
          <dt>{strings.overview.runsEnded}</dt>
          <dd>{count(ended)}</dd>
        </div>
        <div>
          <dt>{strings.overview.succeeded}</dt>
          <dd>{Math.round((good / ended) * 100)} %</dd>
        </div>
        <div>
          <dt>{strings.overview.tokens}</dt>
          <dd>{count(sum(series.tokens))}</dd>
        </div>
        <div>
          <dt>{strings.overview.cost}</dt>
          <dd title={unpriced > 0 ? strings.overview.unpriced(unpriced) : undefined}>
            {dollars(sum(series.cost))}
          </dd>
        </div>
      </dl>
      <Suspense fallback={<Loading />}>
        <Chart
          title={strings.overview.runsEnded}
          at={series.at}
          step={data.step}
          series={[
            { label: strings.overview.runsEnded, values: series.all, colour: "--bad" },
            { label: strings.overview.succeeded, values: series.good, colour: "--good" },
          ]}
          format={count}
        />
        <Chart
          title={strings.overview.tokens}
          at={series.at}
          step={data.step}
          series={[{ label: strings.overview.tokens, values: series.tokens, colour: "--accent" }]}
          format={count}
        />
        {sum(series.cost) > 0 && (
          <Chart
            title={strings.overview.cost}
            at={series.at}
            step={data.step}
            series={[{ label: strings.overview.cost, values: series.cost, colour: "--warn" }]}
            format={dollars}
          />
        )}
      </Suspense>
    </>
  );
}

interface MoreStatus extends Status {
  max_concurrent_root_tasks: number | null;
  max_concurrent_runs: number | null;
}

function Machine({ running }: { running: number }) {
  const status = useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => get<MoreStatus>("/api/v1/status", signal),
    staleTime: 60_000,
  });
  const now = useNow(status.data ? 60_000 : null);
  if (!status.data) return null;
  const up = status.data.uptime_seconds * 1000 + (now - status.dataUpdatedAt);
  return (
    <Card title={strings.overview.machine}>
      <dl className="facts facts-tall">
        <div className="fact">
          <dt>{strings.overview.version}</dt>
          <dd>{status.data.version}</dd>
        </div>
        <div className="fact">
          <dt>{strings.overview.uptime}</dt>
          <dd className="tabular">{duration(up)}</dd>
        </div>
        <div className="fact">
          <dt>{strings.overview.limits}</dt>
          <dd>{strings.overview.limitsText(running, status.data.max_concurrent_root_tasks)}</dd>
        </div>
      </dl>
    </Card>
  );
}

export function useAgents() {
  return useQuery({
    queryKey: ["agents"],
    queryFn: async ({ signal }) => (await get<{ agents: Agent[] }>("/api/v1/agents", signal)).agents,
    staleTime: 60_000,
  });
}

function Agents() {
  const agents = useAgents();
  if (!agents.data || agents.data.length === 0) return null;
  return (
    <Card title={strings.overview.agents}>
      <ul className="list">
        {[...agents.data]
          .sort((a, b) => Number(b.installed) - Number(a.installed) || (a.name < b.name ? -1 : 1))
          .map((agent) => (
            <li key={agent.name} className="list-row" title={agent.problem ?? agent.program}>
              <StateIcon status={agent.installed ? "completed" : "idle"} size={14} />
              <span className="list-name">{agent.name}</span>
              <span className="list-note">{agent.installed ? agent.version : strings.form.notInstalled}</span>
            </li>
          ))}
      </ul>
    </Card>
  );
}

interface DiskUse {
  root: string;
  free_bytes: number;
  total_bytes: number;
  projects: { id: string; bytes: number }[];
}

function Disk() {
  const disk = useQuery({
    queryKey: ["disk"],
    queryFn: ({ signal }) => get<DiskUse>("/api/v1/disk", signal),
    staleTime: 300_000,
  });
  if (!disk.data) return null;
  const { free_bytes: free, total_bytes: total, projects, root } = disk.data;
  const used = total > 0 ? ((total - free) / total) * 100 : 0;
  const largest = [...projects].sort((a, b) => b.bytes - a.bytes).slice(0, 6);
  const most = Math.max(1, ...largest.map((p) => p.bytes));
  return (
    <Card title={strings.overview.disk}>
      <p className="note">
        {strings.overview.diskFree(bytes(free), bytes(total))}
        <br />
        <code className="cut" title={root}>
          {root}
        </code>
      </p>
      <div
        className={`meter${used > 90 ? " meter-full" : ""}`}
        role="img"
        aria-label={`${Math.round(used)} %`}
      >
        <span style={{ width: `${used}%` }} />
      </div>
      <ul className="list">
        {largest.map((p) => (
          <li key={p.id}>
            <Link to={places.project(p.id)} className="list-row disk-row">
              <span className="list-name">{p.id}</span>
              <span className="disk-bar" aria-hidden>
                <span style={{ width: `${(p.bytes / most) * 100}%` }} />
              </span>
              <span className="list-note tabular">{bytes(p.bytes)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
