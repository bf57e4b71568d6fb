// One row of the tree: a project, a task or a run, with its status.

import { ChevronRight, CornerDownRight, Folder, RotateCw } from "lucide-react";
import { memo, type MouseEvent } from "react";
import type { Run } from "../api/types";
import { useNow } from "../lib/clock";
import { ago, duration, shortRun, shortTask } from "../lib/format";
import { StateIcon } from "../parts/Icon";
import { strings } from "../strings";
import { addressOf } from "./place";
import type { Row } from "./rows";

/** The id of the element that shows a row. */
export const rowId = (key: string): string => `row-${key.replace(/[^\w-]/g, "_")}`;

// Shared elements for all rows: React skips an element that is identical to the last one.
const OPENS = <ChevronRight size={15} />;
const PROJECT = <Folder size={15} className="row-folder" aria-hidden />;
const FIRST = <CornerDownRight size={13} />;
const AGAIN = <RotateCw size={12} />;

interface Props {
  row: Row;
  top: number;
  height: number;
  n: number;
  of: number;
  current: boolean;
  active: boolean;
  asks: boolean;
  now: number;
  /** The base of the page's addresses. */
  base: string;
  toggle: (key: string) => void;
  visit: (event: MouseEvent<HTMLAnchorElement>) => void;
}

export const TreeRow = memo(function TreeRow({
  row,
  top,
  height,
  n,
  of,
  current,
  active,
  asks,
  now,
  base,
  toggle,
  visit,
}: Props) {
  const expanded = row.kind === "run" || (row.kind === "task" && !row.opens) ? undefined : row.open;
  return (
    <div
      id={rowId(row.key)}
      className={`row row-${row.kind}${current ? " row-current" : ""}${active ? " row-active" : ""}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-expanded={expanded}
      aria-selected={current}
      aria-posinset={n}
      aria-setsize={of}
      style={{ transform: `translateY(${top}px)`, height, paddingInlineStart: 6 + row.depth * 16 }}
    >
      {expanded === undefined ? (
        <span className="twisty" aria-hidden>
          {row.kind === "run" && (row.first ? FIRST : AGAIN)}
        </span>
      ) : (
        <button
          type="button"
          className="twisty"
          tabIndex={-1}
          aria-hidden
          onClick={() => toggle(row.key)}
          data-open={expanded}
        >
          {OPENS}
        </button>
      )}
      <a href={base + addressOf(row)} className="row-link" tabIndex={-1} onClick={visit}>
        {row.kind === "project" && (
          <>
            {PROJECT}
            <span className="row-name">{row.project}</span>
            <span className="row-note">{row.active > 0 ? strings.tree.running(row.active) : row.count}</span>
          </>
        )}
        {row.kind === "task" && (
          <>
            <StateIcon status={row.task.status} />
            <span className="row-name" title={row.task.id}>
              {shortTask(row.task.id)}
            </span>
            {asks && (
              <span className="row-asks" title={strings.tree.asks}>
                ?<span className="sr">{strings.tree.asks}</span>
              </span>
            )}
            {row.task.queue_position !== undefined && (
              <span className="row-note" title={strings.tree.position(row.task.queue_position)}>
                #{row.task.queue_position}
              </span>
            )}
            {row.task.run_count > 1 && (
              <span className="row-note" title={strings.tree.runsTitle(row.task.run_count)}>
                {strings.tree.runs(row.task.run_count)}
              </span>
            )}
            {row.task.last_activity !== undefined && (
              <span className="row-note row-age">{ago(now - Date.parse(row.task.last_activity))}</span>
            )}
          </>
        )}
        {row.kind === "run" && (
          <>
            <StateIcon status={row.run.status} size={14} />
            <span className="row-name" title={row.run.previous_run_id ? strings.tree.restartOf : row.run.id}>
              {shortRun(row.run.id)}
            </span>
            <RunTime run={row.run} />
          </>
        )}
      </a>
    </div>
  );
});

function RunTime({ run }: { run: Run }) {
  const live = run.end_time === undefined && run.status === "running";
  const now = useNow(live ? 1000 : null);
  if (run.start_time === undefined) return null;
  const end = run.end_time === undefined ? (live ? now : null) : Date.parse(run.end_time);
  return end === null ? null : <span className="row-note">{duration(end - Date.parse(run.start_time))}</span>;
}
