// Messages with their answers below them.

import { CornerUpLeft, ListPlus } from "lucide-react";
import { Suspense } from "react";
import { Link } from "wouter";
import { useMayRun } from "../api/scope";
import type { Message } from "../api/types";
import { moment, shortTask } from "../lib/format";
import { places } from "../lib/places";
import { Markdown } from "../render/lazy";
import { strings } from "../strings";
import { order } from "./bus";
import type { Thread } from "./threads";
import { isMark, isNews } from "./unread";

interface Props {
  threads: Thread[];
  unreadFrom: string | undefined;
  inTask: string | undefined;
  setReply: (message: Message) => void;
}

export function ThreadList({ threads, unreadFrom, inTask, setReply }: Props) {
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
  const mayRun = useMayRun();
  const task = message.task_id;
  const answerable =
    mayRun &&
    task !== undefined &&
    message.run_id !== undefined &&
    ["QUESTION", "FACT"].includes(message.type);
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
          {!mark && mayRun && (
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
