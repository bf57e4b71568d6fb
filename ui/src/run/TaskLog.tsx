// The output of all runs of a task as one log.

import "../styles/log.css";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { Link } from "wouter";
import type { TaskDetail } from "../api/types";
import { bytes, shortRun } from "../lib/format";
import { places } from "../lib/places";
import { useFeed, type Reading } from "../live/feed";
import { CopyButton, Empty, Loading, FeedProblem } from "../parts/parts";
import { strings } from "../strings";
import { taskKey } from "../tree/tree";
import { Ansi, plain } from "./Ansi";
import { FollowButton, pausedBy } from "./FollowButton";
import { WIDTH } from "./log";

interface Entry {
  run: string;
  text: string;
  kind: "stdout" | "stderr" | "head";
  continues: boolean;
}

/** Maximum number of lines in memory; the page of a run has all of them. */
const KEPT = 50_000;
/** The log begins this many bytes before its end, so that a long one appears at once. */
const TAIL = 512_000;

const READING: Reading<Entry[]> = {
  empty: () => [],
  take: (entries, event) => {
    if (event.type !== "log") return entries;
    const run = event["run_id"] as string;
    const kind = event["stream"] as "stdout" | "stderr";
    const text = event["line"] as string;
    const last = entries[entries.length - 1];
    if (last?.continues === true && last.run === run && last.kind === kind) {
      if (last.text.length < WIDTH) last.text += text.slice(0, WIDTH - last.text.length);
      last.continues = event["continues"] === true;
      return entries;
    }
    if (last === undefined || last.run !== run)
      entries.push({ run, text: run, kind: "head", continues: false });
    entries.push({ run, text: text.slice(0, WIDTH), kind, continues: event["continues"] === true });
    if (entries.length > 2 * KEPT) entries.splice(0, entries.length - KEPT);
    return entries;
  },
};

/** `live`: more lines may come. */
export default function TaskLog({ task, live }: { task: TaskDetail; live: boolean }) {
  const feed = useFeed(`log:${taskKey(task.project_id, task.id)}`, `tail=${TAIL}`, READING);
  const [follow, setFollow] = useState(true);
  const [held, setHeld] = useState(0);
  const attempts = useMemo(() => new Map(task.runs.map((r) => [r.id, r.attempt ?? 1])), [task.runs]);
  const entries = feed.data;
  const count = follow ? entries.length : Math.min(held, entries.length);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => 20,
    overscan: 30,
  });
  useEffect(() => {
    const box = scroller.current;
    if (follow && box !== null) box.scrollTop = box.scrollHeight;
  }, [follow, count]);
  const pause = (): void => {
    if (follow) setHeld(entries.length);
    setFollow(false);
  };
  const inView = (): string =>
    virtual
      .getVirtualItems()
      .map((item) => plain(entries[item.index]?.text ?? ""))
      .join("\n");
  if (feed.error !== null && entries.length === 0) return <FeedProblem feed={feed} />;
  if (entries.length === 0) {
    if (feed.state === "loading") return <Loading />;
    return <Empty title={live ? strings.log.emptyYet : strings.log.empty} />;
  }
  return (
    <div className="log">
      <div className="toolbar">
        <span className="toolbar-note">{strings.log.lastOf(bytes(TAIL))}</span>
        <span className="toolbar-gap" />
        <CopyButton label={strings.log.copyLines} text={inView} />
        {live && <FollowButton follow={follow} pause={pause} resume={() => setFollow(true)} />}
      </div>
      <div
        ref={scroller}
        className="log-lines log-plain"
        role="log"
        aria-live="off"
        aria-label={strings.log.label}
        tabIndex={0}
        {...pausedBy(pause)}
      >
        <div className="log-space" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const entry = entries[item.index];
            return (
              entry && (
                <div
                  key={item.key}
                  className={`log-line log-${entry.kind}`}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <span className="log-text">
                    {entry.kind === "head" ? (
                      <>
                        {strings.task.attempt(attempts.get(entry.run) ?? 1)} · {shortRun(entry.run)} ·{" "}
                        <Link to={places.run(task.project_id, task.id, entry.run, "stdout")}>
                          {strings.log.wholeLog}
                        </Link>
                      </>
                    ) : (
                      <Ansi text={entry.text} find={null} />
                    )}
                  </span>
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}
