// The output of a run as lines, live and of any length, with colours, search and a link to each line.

import "../styles/log.css";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp, Search, WrapText } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { get } from "../api/client";
import type { LineIndex, Run } from "../api/types";
import { bytes } from "../lib/format";
import { usePersisted } from "../lib/persisted";
import { useFeed, type Reading } from "../live/feed";
import { CopyButton, copyText, DownloadButton, Empty, Failure, FeedProblem, Loading } from "../parts/parts";
import { strings } from "../strings";
import { Ansi, plain } from "./Ansi";
import { useFind } from "./find";
import { FollowButton, pausedBy } from "./FollowButton";
import { logOf, PAGE, take, type Log } from "./log";
import { linesPath, usePages } from "./pages";

const ROW = 20;
/** Maximum height of a page in browsers, in pixels; a longer log is shown in windows. */
const WINDOW = 700_000;
/** Number of lines in the layout while new ones arrive: each costs time in every frame. */
const FOLLOWED = 2000;

interface Props {
  run: Run;
  name: "stdout" | "stderr";
}

export default function LogView({ run, name }: Props) {
  const index = useQuery({
    queryKey: ["line-index", run.project_id, run.task_id, run.id, name],
    queryFn: ({ signal }) => get<LineIndex>(linesPath(run, `lines/index?name=${name}&every=${PAGE}`), signal),
    // The index is as old as the view; the stream continues from there.
    gcTime: 0,
  });
  if (index.isPending) return <Loading />;
  if (index.isError) return <Failure error={index.error} again={() => void index.refetch()} />;
  return <Opened run={run} name={name} index={index.data} />;
}

function Opened({ run, name, index }: Props & { index: LineIndex }) {
  const reading = useMemo<Reading<Log>>(() => ({ empty: () => logOf(index), take }), [index]);
  const topic = `file:${run.project_id}/${run.task_id}/${run.id}/${name}`;
  const feed = useFeed(topic, `from=${index.end}`, reading);
  const { data: log, version } = feed;
  const ended = feed.state === "done" || run.end_time !== undefined;

  const linked = useMemo(() => Number(/^#L(\d+)$/.exec(window.location.hash)?.[1] ?? 0), []);
  const [follow, setFollow] = useState(linked === 0);
  const [wrap, setWrap] = usePersisted("log.wrap", false);
  const [target, setTarget] = useState(linked);
  const [base, setBase] = useState(() => (linked > 0 ? Math.max(0, linked - WINDOW / 2) : 0));
  const [pausedAt, setPausedAt] = useState(0);

  // During a pause the lines stay, and new ones are only counted.
  const count = follow || ended ? log.count : Math.max(pausedAt, 0) || log.count;
  const moves = follow && !ended;
  const first = follow
    ? Math.max(0, count - (moves ? FOLLOWED : WINDOW))
    : Math.min(base, Math.max(0, count - 1));
  const rows = Math.min(count - first, WINDOW);

  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    // While following, the view scrolls by itself, so few rows outside of it are rendered.
    overscan: moves ? 2 : 30,
    getItemKey: (n) => first + n,
  });

  const { line, pages } = usePages(run, name, log, version);

  useEffect(() => {
    if (!follow) return;
    const box = scroller.current;
    if (box !== null) box.scrollTop = box.scrollHeight;
  }, [follow, count, rows]);

  // A pause lays out more lines above, and the lines in view stay in place.
  const above = useRef(0);
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box !== null) box.scrollTop += above.current * ROW;
    above.current = 0;
  }, [first]);

  const jump = useCallback(
    (to: number) => {
      setFollow(false);
      setTarget(to);
      const inWindow = !moves && to - 1 >= first && to - 1 < first + WINDOW;
      const start = inWindow ? first : Math.max(0, to - WINDOW / 2);
      setBase(start);
      setPausedAt((at) => Math.max(at, to, log.count));
      requestAnimationFrame(() => virtual.scrollToIndex(to - 1 - start, { align: "center" }));
    },
    [first, moves, virtual, log],
  );
  const arrived = useRef(false);
  useEffect(() => {
    if (arrived.current || linked === 0 || log.count < linked) return;
    arrived.current = true;
    jump(linked);
  }, [linked, log.count, jump]);

  const pause = useCallback(() => {
    setFollow((was) => {
      if (was) {
        const start = Math.max(0, log.count - WINDOW);
        setPausedAt(log.count);
        setBase(start);
        above.current = first - start;
      }
      return false;
    });
  }, [log, first]);
  const lastTop = useRef(0);

  const find = useFind(run, name, log, jump);
  const items = virtual.getVirtualItems();
  const digits = String(first + rows).length;

  return (
    <div className="log">
      <div className="toolbar">
        <form
          className="field-icon log-search"
          role="search"
          onSubmit={(e) => {
            e.preventDefault();
            find.next(1);
          }}
        >
          <Search size={15} aria-hidden />
          <input
            type="search"
            aria-label={strings.log.search}
            placeholder={strings.log.search}
            value={find.text}
            onChange={(e) => find.setText(e.target.value)}
            onKeyDown={(e) => {
              if (e.key === "Enter" && e.shiftKey) {
                e.preventDefault();
                find.next(-1);
              }
            }}
          />
        </form>
        {find.text !== "" && (
          <>
            <span className="toolbar-note" role="status">
              {find.pending ? strings.log.searching : strings.log.matches(find.total, find.at, find.more)}
            </span>
            <button
              type="button"
              className="icon-button"
              aria-label={strings.log.previous}
              onClick={() => find.next(-1)}
            >
              <ArrowUp size={15} aria-hidden />
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label={strings.log.next}
              onClick={() => find.next(1)}
            >
              <ArrowDown size={15} aria-hidden />
            </button>
          </>
        )}
        <span className="toolbar-gap" />
        <span className="toolbar-note log-size">{strings.log.lines(log.count, bytes(log.size))}</span>
        <button
          type="button"
          className="icon-button"
          aria-pressed={wrap}
          aria-label={strings.log.wrap}
          title={strings.log.wrap}
          onClick={() => setWrap(!wrap)}
        >
          <WrapText size={15} aria-hidden />
        </button>
        <CopyButton
          label={strings.log.copyLines}
          text={() => items.map((item) => plain(line(first + item.index)?.text ?? "")).join("\n")}
        />
        <DownloadButton
          address={linesPath(run, `file?name=${name}&format=raw`)}
          name={`${run.id}-${name}.txt`}
        />
        {!ended && <FollowButton follow={follow} pause={pause} resume={() => setFollow(true)} />}
      </div>
      {log.count === 0 && feed.state !== "loading" ? (
        <Empty title={ended ? strings.log.empty : strings.log.emptyYet} />
      ) : (
        <div
          ref={scroller}
          className={`log-lines${wrap ? " log-wrap" : ""}`}
          role="log"
          aria-live="off"
          aria-label={strings.log.label}
          tabIndex={0}
          {...pausedBy(pause)}
          onScroll={({ currentTarget: box }) => {
            // This includes scrolling by the scroll bar.
            if (moves && box.scrollTop < lastTop.current - ROW) pause();
            lastTop.current = box.scrollTop;
          }}
          onKeyDown={(e) => {
            if (["ArrowUp", "PageUp", "Home"].includes(e.key)) pause();
            if (e.key === "End" && !ended) setFollow(true);
          }}
        >
          {first > 0 && !follow && (
            <button
              type="button"
              className="link-button"
              onClick={() => setBase(Math.max(0, first - WINDOW / 2))}
            >
              {strings.bus.older}
            </button>
          )}
          <div className="log-space" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const number = first + item.index + 1;
              const shown = line(number - 1);
              return (
                <div
                  // While all lines change with every frame, their elements are reused.
                  key={moves && !wrap ? item.index - (items[0]?.index ?? 0) : item.key}
                  data-index={item.index}
                  ref={wrap ? virtual.measureElement : undefined}
                  className={`log-line${number === target ? " log-target" : ""}`}
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  <button
                    type="button"
                    className="log-number"
                    tabIndex={-1}
                    style={{ width: `${digits + 2}ch` }}
                    title={strings.log.linkTo(number)}
                    aria-label={strings.log.linkTo(number)}
                    onClick={() => {
                      window.history.replaceState(null, "", `#L${number}`);
                      setTarget(number);
                      pause();
                      void copyText(window.location.href);
                    }}
                  >
                    {number}
                  </button>
                  <span className="log-text">
                    {shown === null ? (
                      <span className="log-wait" />
                    ) : (
                      <>
                        <Ansi text={shown.text} find={find.pattern} />
                        {shown.more > 0 && (
                          <span className="log-more">{strings.log.cut(bytes(shown.more))}</span>
                        )}
                      </>
                    )}
                  </span>
                </div>
              );
            })}
          </div>
        </div>
      )}
      {!follow && !ended && log.count > count && (
        <button type="button" className="pill" onClick={() => setFollow(true)}>
          <ArrowDown size={14} aria-hidden />
          {strings.log.paused(log.count - count)}
        </button>
      )}
      {pages.error !== null && <Failure error={pages.error} />}
      <FeedProblem feed={feed} />
    </div>
  );
}
