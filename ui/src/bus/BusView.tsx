// A bus: its messages live, in threads, with unread ones marked, and a form to write one.

import "../styles/bus.css";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { get, path } from "../api/client";
import type { Message, Messages } from "../api/types";
import { useExternal } from "../lib/external";
import { usePersisted } from "../lib/persisted";
import { MayRun } from "../parts/MayRun";
import { Empty, Failure, Loading, FeedProblem } from "../parts/parts";
import { strings } from "../strings";
import { order, TAIL, useBus } from "./bus";
import { Compose } from "./Compose";
import { ThreadList } from "./ThreadList";
import { threadsOf } from "./threads";
import { isMark, markSeen, seen, unreadOf } from "./unread";

interface Props {
  project: string;
  task?: string;
}

export function BusView({ project, task }: Props) {
  const feed = useBus(project, task);
  const [earlier, setEarlier] = useState<Message[]>([]);
  const [start, setStart] = useState(false);
  const [kind, setKind] = useState("");
  const [text, setText] = useState("");
  const [marks, setMarks] = usePersisted("bus.marks", false);
  const [reply, setReply] = useState<Message | null>(null);
  const [unreadFrom] = useState(() => seen.get()[project]);
  const seenNow = useExternal(seen);

  const all = useMemo(() => {
    const known = new Set(feed.data.map((m) => m.msg_id));
    return [...earlier.filter((m) => !known.has(m.msg_id)), ...feed.data];
  }, [earlier, feed.data]);
  const kinds = useMemo(() => [...new Set(all.map((m) => m.type))].sort(), [all]);
  const needle = text.trim().toLowerCase();
  const threads = useMemo(
    () =>
      threadsOf(
        all.filter(
          (m) =>
            (marks || kind !== "" || !isMark(m)) &&
            (kind === "" || m.type === kind) &&
            (needle === "" || `${m.body} ${m.task_id ?? ""} ${m.type}`.toLowerCase().includes(needle)),
        ),
      ),
    [all, kind, needle, marks],
  );

  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const linked = useRef(window.location.hash.slice(1));
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const target = linked.current === "" ? null : document.getElementById(linked.current);
    if (target !== null) {
      linked.current = "";
      atEnd.current = false;
      target.scrollIntoView({ block: "center" });
    } else if (atEnd.current) box.scrollTop = box.scrollHeight;
  }, [threads]);

  // The messages in view at the end of the list count as seen.
  const last = all[all.length - 1];
  useEffect(() => {
    if (last !== undefined && task === undefined && !document.hidden && atEnd.current)
      markSeen(project, last);
  }, [last, project, task]);

  const older = useMutation({
    mutationFn: async () => {
      const first = all[0];
      if (first === undefined) return;
      // One bus is read backwards by id; a merged one is read again with a larger limit.
      const page =
        task !== undefined
          ? await get<Messages>(
              path`/api/projects/${project}/tasks/${task}/messages` +
                `?before=${encodeURIComponent(first.msg_id)}&limit=${TAIL}`,
            )
          : await get<Messages>(
              path`/api/projects/${project}/messages` +
                `?scope=all&limit=${Math.min(5000, all.length + 500)}`,
            );
      const known = new Set(all.map((m) => m.msg_id));
      const fresh = page.messages.filter((m) => !known.has(m.msg_id));
      if (fresh.length === 0) setStart(true);
      atEnd.current = false;
      setEarlier((before) => [...fresh, ...before].sort((a, b) => (order(a) < order(b) ? -1 : 1)));
    },
  });

  const unread = task === undefined ? unreadOf(project, all, seenNow) : 0;
  if (feed.error !== null && all.length === 0) return <FeedProblem feed={feed} />;
  if (feed.state === "loading" && all.length === 0) return <Loading />;
  return (
    <div className="bus">
      <div className="toolbar">
        <label className="field-icon bus-filter">
          <input
            type="search"
            value={text}
            placeholder={strings.bus.filterText}
            aria-label={strings.bus.filterText}
            onChange={(e) => setText(e.target.value)}
          />
        </label>
        <select aria-label={strings.bus.filterType} value={kind} onChange={(e) => setKind(e.target.value)}>
          <option value="">{strings.bus.allTypes}</option>
          {kinds.map((k) => (
            <option key={k}>{k}</option>
          ))}
        </select>
        <label className="check">
          <input type="checkbox" checked={marks} onChange={(e) => setMarks(e.target.checked)} />
          {strings.bus.runMarks}
        </label>
        <span className="toolbar-gap" />
        {unread > 0 && (
          <button
            type="button"
            className="link-button"
            onClick={() => {
              if (last) markSeen(project, last);
            }}
          >
            {strings.bus.unread(unread)}, {strings.bus.markRead}
          </button>
        )}
      </div>
      <div
        ref={scroller}
        className="bus-items"
        role="log"
        aria-label={strings.bus.title}
        tabIndex={0}
        onScroll={(e) => {
          const box = e.currentTarget;
          atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
          if (atEnd.current && last !== undefined && task === undefined) markSeen(project, last);
        }}
      >
        {all.length >= TAIL && !start && (
          <button
            type="button"
            className="link-button"
            disabled={older.isPending}
            onClick={() => older.mutate()}
          >
            {strings.bus.older}
          </button>
        )}
        {older.isError && <Failure error={older.error} />}
        {threads.length === 0 && (
          <Empty title={all.length === 0 ? strings.bus.empty : strings.tree.nothing}>
            {all.length === 0 && <p>{strings.bus.emptyHint}</p>}
          </Empty>
        )}
        <ThreadList
          threads={threads}
          unreadFrom={task === undefined ? unreadFrom : undefined}
          inTask={task}
          setReply={setReply}
        />
      </div>
      <MayRun>
        <Compose
          key={reply?.msg_id ?? ""}
          project={project}
          task={task ?? reply?.task_id}
          fixedTask={task !== undefined}
          reply={reply}
          cancel={() => setReply(null)}
          sent={() => {
            setReply(null);
            atEnd.current = true;
          }}
        />
      </MayRun>
    </div>
  );
}
