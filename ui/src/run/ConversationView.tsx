// The conversation of a run: messages, reasoning, tools with input and result, and file changes.

import "../styles/talk.css";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  ArrowDown,
  Brain,
  ChevronRight,
  FilePen,
  FileX,
  FilePlus,
  LoaderCircle,
  OctagonAlert,
  Wrench,
} from "lucide-react";
import { memo, Suspense, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Run } from "../api/types";
import { bytes, count, moment } from "../lib/format";
import { useFeed, type Reading } from "../live/feed";
import { CopyButton, Empty, Loading, FeedProblem } from "../parts/parts";
import { DiffText, EditDiff, Markdown } from "../render/lazy";
import { strings } from "../strings";
import { plain } from "./Ansi";
import { MOST_RAW, useRawLines } from "./raw";
import { edits, emptyConversation, gist, takeEvents, type Conversation, type Item } from "./events";

const READING: Reading<Conversation> = { empty: emptyConversation, take: takeEvents };
/** Maximum length of a text that is shown at once. */
const SHOWN = 4000;

export default function ConversationView({ run }: { run: Run }) {
  const feed = useFeed(`file:${run.project_id}/${run.task_id}/${run.id}/events.jsonl`, "", READING);
  const { items } = feed.data;
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [follow, setFollow] = useState(run.end_time === undefined);
  const scroller = useRef<HTMLDivElement>(null);
  const live = feed.state !== "done" && run.end_time === undefined;
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (n) => (items[n]?.event.type === "message" ? 120 : 42),
    getItemKey: (n) => items[n]?.key ?? n,
    overscan: 8,
  });
  const { length } = items;
  useEffect(() => {
    if (follow && length > 0) virtual.scrollToIndex(length - 1, { align: "end" });
  }, [follow, length, feed.version, virtual]);

  if (feed.error !== null && length === 0) return <FeedProblem feed={feed} />;
  if (feed.state === "loading" && length === 0) return <Loading />;
  if (length === 0) {
    return <Empty title={live ? strings.run.noConversationYet : strings.run.noConversation} />;
  }
  const foldable = items.filter((i) => isFoldable(i));
  const allOpen = foldable.every((i) => open.has(i.key));
  return (
    <div className="talk">
      <div className="toolbar">
        <span className="toolbar-gap" />
        {foldable.length > 0 && (
          <button
            type="button"
            className="button small"
            onClick={() => setOpen(new Set(allOpen ? [] : foldable.map((i) => i.key)))}
          >
            {allOpen ? strings.run.collapseAll : strings.run.expandAll}
          </button>
        )}
        <button
          type="button"
          className="button small"
          aria-pressed={live ? follow : undefined}
          onClick={() => {
            setFollow(live && !follow);
            virtual.scrollToIndex(length - 1, { align: "end" });
          }}
        >
          <ArrowDown size={14} aria-hidden />
          {live && follow ? strings.log.following : strings.run.latest}
        </button>
      </div>
      <div
        ref={scroller}
        className="talk-items"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={strings.run.views.conversation}
        onWheel={(e) => {
          if (e.deltaY < 0) setFollow(false);
        }}
        onTouchMove={() => setFollow(false)}
      >
        <div className="talk-space" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((row) => {
            const item = items[row.index];
            return (
              item && (
                <div
                  key={row.key}
                  data-index={row.index}
                  ref={virtual.measureElement}
                  className="talk-row"
                  style={{ transform: `translateY(${row.start}px)` }}
                >
                  <Piece
                    run={run}
                    item={item}
                    live={live}
                    open={open.has(item.key)}
                    toggle={() =>
                      setOpen((before) => {
                        const next = new Set(before);
                        if (!next.delete(item.key)) next.add(item.key);
                        return next;
                      })
                    }
                  />
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

const isFoldable = ({ event }: Item): boolean =>
  event.type === "reasoning" ||
  event.type === "tool_call" ||
  event.type === "tool_result" ||
  event.type === "raw";

interface PieceProps {
  run: Run;
  item: Item;
  live: boolean;
  open: boolean;
  toggle: () => void;
}

const Piece = memo(
  function Piece({ run, item, live, open, toggle }: PieceProps) {
    const { event } = item;
    const nested = event.within !== undefined;
    return (
      <div className={nested ? "piece-within" : undefined}>
        <PieceBody run={run} item={item} live={live} open={open} toggle={toggle} />
        {event.clipped === true && <p className="note">{strings.run.clipped}</p>}
      </div>
    );
  },
  (a, b) => a.item === b.item && a.open === b.open && a.live === b.live,
);

function PieceBody({ run, item, live, open, toggle }: PieceProps) {
  const { event } = item;
  switch (event.type) {
    case "message":
      return (
        <article className={`say say-${event.role}`}>
          <header className="say-head">
            <span>{strings.run[event.role]}</span>
            <When time={event.time} />
            <CopyButton text={event.text} />
          </header>
          {event.role === "assistant" ? <Rich text={event.text} /> : <Long text={event.text} />}
        </article>
      );
    case "reasoning":
      return (
        <Fold
          icon={<Brain size={15} aria-hidden />}
          label={strings.run.reasoning}
          gist={gist(event.text)}
          open={open}
          toggle={toggle}
        >
          <div className="thought">
            <Rich text={event.text} />
          </div>
        </Fold>
      );
    case "tool_call":
      return <ToolCall run={run} item={item} live={live} open={open} toggle={toggle} />;
    case "tool_result":
      return (
        <Fold
          icon={<Wrench size={15} aria-hidden />}
          label={event.tool ?? strings.run.result}
          gist={gist(event.output)}
          bad={event.status !== "ok"}
          open={open}
          toggle={toggle}
        >
          <Long text={event.output} code />
        </Fold>
      );
    case "file_change": {
      const Icon = { add: FilePlus, update: FilePen, delete: FileX }[event.change];
      return (
        <div className="piece-file">
          <p className="piece-line">
            <Icon size={15} aria-hidden /> {strings.run.fileChange[event.change]} <code>{event.path}</code>
          </p>
          {event.diff !== undefined && (
            <Suspense fallback={null}>
              <DiffText text={event.diff} compact />
            </Suspense>
          )}
        </div>
      );
    }
    case "error":
      return (
        <div className="piece-error">
          <OctagonAlert size={16} aria-hidden />
          <div>
            <p>{event.message}</p>
            {event.retried === true && <p className="note">{strings.run.retry}</p>}
          </div>
        </div>
      );
    case "turn_end":
      return (
        <div className={`turn turn-${event.outcome}`}>
          <p className="turn-line">
            <span>{strings.run.turn[event.outcome]}</span>
            <When time={event.time} />
          </p>
          {event.message !== undefined && event.message !== "" && <Rich text={event.message} />}
        </div>
      );
    case "session":
      return (
        <p className="turn-line">
          <span>{[event.model, event.agent_version, event.thread_id].filter(Boolean).join(" · ")}</span>
        </p>
      );
    case "raw":
      if (event.lines !== undefined) {
        const { offset, length = 0, lines } = event;
        return <RawLines run={run} at={{ offset, length, lines }} open={open} toggle={toggle} />;
      }
      return (
        <Fold label={strings.run.raw} gist={gist(plain(event.text))} open={open} toggle={toggle}>
          <Long text={plain(event.text)} code />
        </Fold>
      );
    case "usage":
      return null;
  }
}

/** Lines that the daemon did not interpret, of which the event only has the position. */
function RawLines(props: {
  run: Run;
  at: { offset: number; length: number; lines: number };
  open: boolean;
  toggle: () => void;
}) {
  const { run, at, open, toggle } = props;
  const text = useRawLines(run, at.offset, at.length) ?? "";
  return (
    <Fold
      label={strings.run.raw}
      gist={gist(plain(text.slice(0, SHOWN)))}
      note={at.lines > 1 ? strings.run.rawLines(count(at.lines)) : null}
      open={open}
      toggle={toggle}
    >
      <Long text={text} code />
      {at.length > MOST_RAW && <p className="note">{strings.run.clipped}</p>}
    </Fold>
  );
}

function When({ time }: { time: string | undefined }) {
  return time === undefined ? null : (
    <time dateTime={time} className="age">
      {moment(time, Date.now())}
    </time>
  );
}

function ToolCall({ item, live, open, toggle }: PieceProps) {
  const { event, result } = item;
  const changes = useMemo(() => (event.type === "tool_call" ? edits(event.input) : []), [event]);
  if (event.type !== "tool_call") return null;
  const { input } = event;
  const bad = result !== undefined && result.status !== "ok";
  const running = result === undefined && live;
  const note = running
    ? strings.run.runningTool
    : result?.status === "denied"
      ? strings.run.deniedTool
      : bad
        ? result.exit_code === undefined
          ? strings.run.failedTool
          : strings.run.exit(result.exit_code)
        : null;
  return (
    <Fold
      icon={
        running ? <LoaderCircle size={15} className="spin" aria-hidden /> : <Wrench size={15} aria-hidden />
      }
      label={event.tool}
      gist={gist(input)}
      note={note}
      bad={bad}
      open={open}
      toggle={toggle}
    >
      {changes.length > 0 ? (
        <Suspense fallback={null}>
          {changes.map((change, n) => (
            <EditDiff key={n} {...change} />
          ))}
        </Suspense>
      ) : (
        <Long
          text={typeof input === "string" ? input : JSON.stringify(input, null, 2)}
          code
          label={strings.run.input}
        />
      )}
      {result !== undefined && result.output !== "" && (
        <Long text={result.output} code label={strings.run.result} />
      )}
    </Fold>
  );
}

function Fold(props: {
  icon?: ReactNode;
  label: string;
  gist: string;
  note?: string | null;
  bad?: boolean;
  open: boolean;
  toggle: () => void;
  children: ReactNode;
}) {
  return (
    <div className={`fold${props.bad === true ? " fold-bad" : ""}`}>
      <button type="button" className="fold-head" aria-expanded={props.open} onClick={props.toggle}>
        <ChevronRight size={15} className="fold-sign" data-open={props.open} aria-hidden />
        {props.icon}
        <span className="fold-label">{props.label}</span>
        <span className="fold-gist">{props.gist}</span>
        {props.note !== null && props.note !== undefined && <span className="fold-note">{props.note}</span>}
      </button>
      {props.open && <div className="fold-body">{props.children}</div>}
    </div>
  );
}

function Rich({ text }: { text: string }) {
  return (
    <Suspense fallback={<p className="plain">{text}</p>}>
      <Markdown text={text} />
    </Suspense>
  );
}

/** An unformatted text; a long one is shortened until the user expands it. */
function Long({ text, code = false, label }: { text: string; code?: boolean; label?: string }) {
  const [all, setAll] = useState(false);
  const shown = plainBlock(all ? text : text.slice(0, SHOWN));
  return (
    <div className="long">
      {label !== undefined && (
        <div className="long-head">
          <span>{label}</span>
          <CopyButton text={text} />
        </div>
      )}
      {code ? <pre tabIndex={0}>{shown}</pre> : <p className="plain">{shown}</p>}
      {!all && text.length > SHOWN && (
        <button type="button" className="link-button" onClick={() => setAll(true)}>
          {strings.run.showAll(bytes(text.length))}
        </button>
      )}
    </div>
  );
}

function plainBlock(text: string): string {
  return text.includes("\x1b") || text.includes("\r") ? text.split("\n").map(plain).join("\n") : text;
}
