// The overview: tasks that need the user, running tasks, the queue and totals.

import { useMemo } from "react";
import type { TaskItem } from "../api/types";
import { questions } from "../bus/questions";
import { useExternal } from "../lib/external";
import { usePersisted } from "../lib/persisted";
import { places } from "../lib/places";
import { Count, Failed, More, Question, TaskLine } from "../overview/Lists";
import { Agents, Disk, Machine } from "../overview/Machine";
import { Spent } from "../overview/Spent";
import { NewLink } from "../parts/MayRun";
import { Card, Empty, Loading, PageHead } from "../parts/parts";
import { strings } from "../strings";
import { taskKey, useTree } from "../tree/tree";

/** An older failure no longer needs attention. */
const RECENT = 3 * 86_400_000;

export default function Overview() {
  const { data, version, state } = useTree();
  const open = useExternal(questions);
  const [dismissed, setDismissed] = usePersisted<string[]>("overview.seen", []);
  const tasks = useMemo(
    () => [...data.tasks.values()],
    // The maps are changed in place, so their version is the dependency.
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
      <PageHead title={strings.overview.title}>
        <NewLink to={places.newProject}>{strings.nav.newProject}</NewLink>
      </PageHead>
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
                <NewLink to={places.newTask}>{strings.nav.newTask}</NewLink>
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
          <Spent ended={ended} />
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
