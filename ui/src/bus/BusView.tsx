// A bus: messages as they come, in threads, with what is new marked; and a field to write.

import "../styles/bus.css";
import { useMutation } from "@tanstack/react-query";
import { CornerUpLeft, ListPlus, Send, X } from "lucide-react";
import { Suspense, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Link } from "wouter";
import { get, path, post } from "../api/client";
import type { Message } from "../api/types";
import { once } from "../lib/once";
import { moment, shortTask } from "../lib/format";
import { places } from "../lib/places";
import { useDraft } from "../lib/draft";
import { useExternal } from "../lib/external";
import { usePersisted } from "../lib/persisted";
import { Empty, Failure, Loading, FeedProblem } from "../parts/parts";
import { Markdown } from "../render/lazy";
import { strings } from "../strings";
import { order, TAIL, useBus } from "./bus";
import { threadsOf, type Thread } from "./threads";
import { isMark, isNews, markSeen, seen, unreadOf } from "./unread";

/** What a person says, first the usual. */
const KINDS = ["USER", "QUESTION", "FACT", "DECISION", "PROGRESS", "ERROR"];

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

  // What is in view at the end of the list has been seen.
  const last = all[all.length - 1];
  useEffect(() => {
    if (last !== undefined && task === undefined && !document.hidden && atEnd.current)
      markSeen(project, last);
  }, [last, project, task]);

  const older = useMutation({
    mutationFn: async () => {
      const first = all[0];
      if (first === undefined) return;
      // Of one bus by id; of a merged one the last ones, more of them.
      const page =
        task !== undefined
          ? await get<{ messages: Message[]; more: boolean }>(
              path`/api/projects/${project}/tasks/${task}/messages` +
                `?before=${encodeURIComponent(first.msg_id)}&limit=${TAIL}`,
            )
          : await get<{ messages: Message[]; more: boolean }>(
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
    </div>
  );
}

interface ListProps {
  threads: Thread[];
  unreadFrom: string | undefined;
  inTask: string | undefined;
  setReply: (message: Message) => void;
}

function ThreadList({ threads, unreadFrom, inTask, setReply }: ListProps) {
  let marked = unreadFrom === undefined;
  return (
    <ol className="threads">
      {threads.map((thread) => {
        const isFirstNew = !marked && isNews(thread.message) && order(thread.message) > (unreadFrom ?? "");
        if (isFirstNew) marked = true;
        return (
          <li key={thread.message.msg_id}>
            {isFirstNew && <div className="unread-line">{strings.bus.unreadFrom}</div>}
            <OneMessage message={thread.message} inTask={inTask} setReply={setReply} />
            {thread.replies.length > 0 && (
              <div className="replies">
                <ThreadList
                  threads={thread.replies}
                  unreadFrom={undefined}
                  inTask={inTask}
                  setReply={setReply}
                />
              </div>
            )}
          </li>
        );
      })}
    </ol>
  );
}

function OneMessage({
  message,
  inTask,
  setReply,
}: {
  message: Message;
  inTask: string | undefined;
  setReply: (m: Message) => void;
}) {
  const mark = isMark(message);
  const task = message.task_id;
  const answerable =
    task !== undefined && message.run_id !== undefined && ["QUESTION", "FACT"].includes(message.type);
  return (
    <article className={`message message-${mark ? "mark" : message.type.toLowerCase()}`} id={message.msg_id}>
      <header className="message-head">
        <span className={`kind kind-${message.type.toLowerCase()}`}>{message.type}</span>
        {task !== undefined && inTask === undefined && (
          <Link to={places.task(message.project_id, task)} className="message-task" title={task}>
            {shortTask(task)}
          </Link>
        )}
        <time dateTime={message.timestamp} className="age">
          {moment(message.timestamp, Date.now())}
        </time>
        <span className="message-actions">
          {answerable && (
            <Link
              className="icon-button"
              title={strings.bus.newTask}
              aria-label={strings.bus.newTask}
              to={`${places.newTask}?project=${encodeURIComponent(message.project_id)}&answers=${encodeURIComponent(message.msg_id)}&task=${encodeURIComponent(task)}`}
            >
              <ListPlus size={15} aria-hidden />
            </Link>
          )}
          {!mark && (
            <button
              type="button"
              className="icon-button"
              title={strings.bus.reply}
              aria-label={strings.bus.reply}
              onClick={() => setReply(message)}
            >
              <CornerUpLeft size={15} aria-hidden />
            </button>
          )}
        </span>
      </header>
      {mark ? (
        <p className="message-mark">{message.body.split("\n")[0]}</p>
      ) : (
        <Suspense fallback={<p className="plain">{message.body}</p>}>
          <Markdown text={message.body} />
        </Suspense>
      )}
      {(message.links ?? []).length > 0 && (
        <ul className="message-links">
          {(message.links ?? []).map((link, n) => (
            <li key={n}>
              {/^https?:\/\//i.test(link.url) ? (
                <a href={link.url} target="_blank" rel="noopener noreferrer nofollow">
                  {link.label ?? link.url}
                </a>
              ) : (
                <code>{link.label === undefined ? link.url : `${link.label}: ${link.url}`}</code>
              )}
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

interface ComposeProps {
  project: string;
  task: string | undefined;
  fixedTask: boolean;
  reply: Message | null;
  cancel: () => void;
  sent: () => void;
}

function Compose({ project, task, fixedTask, reply, cancel, sent }: ComposeProps) {
  const name = `message.${project}/${task ?? ""}${reply ? `/${reply.msg_id}` : ""}`;
  const [body, setBody, forget] = useDraft(name, "");
  const [kind, setKind] = useState("USER");
  const field = useRef<HTMLTextAreaElement>(null);
  const key = useRef(once());
  useEffect(() => {
    if (reply !== null) field.current?.focus();
  }, [reply]);
  const send = useMutation({
    mutationFn: () => {
      const message = {
        type: kind,
        body,
        ...(reply ? { parents: [{ msg_id: reply.msg_id, kind: "reply" }] } : {}),
      };
      const to =
        task === undefined
          ? path`/api/projects/${project}/messages`
          : path`/api/projects/${project}/tasks/${task}/messages`;
      return post(to, message, key.current);
    },
    onSuccess: () => {
      key.current = once();
      forget();
      setBody("");
      sent();
    },
    // Only an answer means that it was not done; without one the same request may be sent again.
    onError: (error) => {
      if ("status" in error && error.status !== 0) key.current = once();
    },
  });
  const ready = body.trim() !== "" && !send.isPending;
  return (
    <form
      className="compose"
      onSubmit={(e) => {
        e.preventDefault();
        if (ready) send.mutate();
      }}
    >
      {reply !== null && (
        <div className="compose-reply">
          <span>
            {strings.bus.replyTo} <strong>{reply.type}</strong> {reply.body.slice(0, 120)}
          </span>
          <button type="button" className="icon-button" aria-label={strings.bus.cancelReply} onClick={cancel}>
            <X size={15} aria-hidden />
          </button>
        </div>
      )}
      <textarea
        ref={field}
        rows={2}
        value={body}
        aria-label={strings.bus.compose}
        placeholder={task === undefined ? strings.bus.placeholder : strings.task.compose}
        onChange={(e) => setBody(e.target.value)}
        onKeyDown={(e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && ready) send.mutate();
        }}
      />
      <div className="compose-foot">
        <label>
          <span className="sr">{strings.bus.type}</span>
          <select value={kind} onChange={(e) => setKind(e.target.value)}>
            {KINDS.map((k) => (
              <option key={k}>{k}</option>
            ))}
          </select>
        </label>
        {!fixedTask && (
          <span className="note">{task === undefined ? strings.bus.project : shortTask(task)}</span>
        )}
        <span className="toolbar-gap" />
        {send.isError && (
          <span className="action-error" role="alert">
            {strings.bus.failed}: {send.error.message}
          </span>
        )}
        <button type="submit" className="button primary" disabled={!ready}>
          <Send size={15} aria-hidden />
          {send.isPending ? strings.bus.sending : strings.bus.send}
        </button>
      </div>
    </form>
  );
}
