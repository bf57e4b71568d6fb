// The runs of a task on one line of time, and as a list.

import "../styles/task.css";
import { Link } from "wouter";
import type { Run, TaskDetail } from "../api/types";
import { useNow } from "../lib/clock";
import { dollars, duration, moment, shortRun } from "../lib/format";
import { places } from "../lib/places";
import { StateIcon } from "../parts/Icon";
import { Empty } from "../parts/parts";
import { Counts } from "../parts/Counts";
import { strings } from "../strings";

export function Timeline({ task }: { task: TaskDetail }) {
  const runs = task.runs.filter((r) => r.start_time !== undefined);
  const live = runs.some((r) => r.status === "running" && r.end_time === undefined);
  const now = useNow(live ? 1000 : null);
  if (runs.length === 0) return <Empty title={strings.task.noRuns} />;
  const start = Math.min(...runs.map((r) => Date.parse(r.start_time ?? "")));
  const endOf = (r: Run): number =>
    r.end_time === undefined
      ? r.status === "running"
        ? now
        : Date.parse(r.start_time ?? "")
      : Date.parse(r.end_time);
  const end = Math.max(...runs.map(endOf), start + 1000);
  const part = (t: number): number => ((t - start) / (end - start)) * 100;
  return (
    <ol className="timeline">
      {runs.map((run) => {
        const from = part(Date.parse(run.start_time ?? ""));
        const width = Math.max(0.8, part(endOf(run)) - from);
        return (
          <li key={run.id}>
            <Link to={places.run(run.project_id, run.task_id, run.id)} className="timeline-row">
              <StateIcon status={run.status} />
              <span className="timeline-name">
                {strings.task.attempt(run.attempt ?? 1)}
                <span className="timeline-when" title={run.id}>
                  {run.start_time === undefined ? shortRun(run.id) : moment(run.start_time, now)}
                </span>
              </span>
              <span className="timeline-track" aria-hidden>
                {run.status !== "created" && (
                  <span
                    className={`timeline-bar state-${run.status}`}
                    style={{
                      left: `${Math.min(from, 99)}%`,
                      width: `${Math.min(width, 100 - Math.min(from, 99))}%`,
                    }}
                  />
                )}
              </span>
              <span className="timeline-took tabular">
                {run.status === "created"
                  ? strings.task.notStarted
                  : duration(endOf(run) - Date.parse(run.start_time ?? ""))}
              </span>
              <span className="timeline-more">
                {run.diffstat && run.diffstat.files > 0 && (
                  <Counts added={run.diffstat.insertions} removed={run.diffstat.deletions} />
                )}
                {run.usage?.cost_usd !== undefined && (
                  <span className="tabular">{dollars(run.usage.cost_usd)}</span>
                )}
                {run.exit_code !== undefined && run.exit_code !== 0 && (
                  <span className="timeline-exit">{strings.run.exit(run.exit_code)}</span>
                )}
              </span>
            </Link>
          </li>
        );
      })}
    </ol>
  );
}
