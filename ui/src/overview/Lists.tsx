// The lists of the overview: tasks that need the user, running tasks and the queue.

import { Check, CircleAlert, MessageCircleQuestion } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Link } from "wouter";
import type { Message, TaskItem } from "../api/types";
import { shortTask } from "../lib/format";
import { places } from "../lib/places";
import { whyOf } from "../lib/why";
import { StateIcon } from "../parts/Icon";
import { MayRun } from "../parts/MayRun";
import { Age, IconButton, Inline } from "../parts/parts";
import { strings } from "../strings";

/** Maximum number of entries before "Show all". */
const SHOWN = 8;

export function Count({ n }: { n: number }) {
  return n === 0 ? null : <span className="card-count">{n}</span>;
}

export function More<T>({
  items,
  keyOf,
  show,
}: {
  items: T[];
  keyOf: (item: T) => string;
  show: (item: T) => ReactNode;
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

export function Question({ message, dismiss }: { message: Message; dismiss?: () => void }) {
  const to =
    message.task_id === undefined
      ? places.projectBus(message.project_id)
      : places.task(message.project_id, message.task_id, "messages");
  return (
    <div className="list-pair">
      <Link to={`${to}#${message.msg_id}`} className="list-row list-tall">
        <MessageCircleQuestion size={18} className="state-asks" aria-hidden />
        <span className="list-text">
          <span className="list-name list-says">
            <Inline text={message.body} />
          </span>
          <span className="list-sub">
            {message.task_id === undefined ? message.project_id : shortTask(message.task_id)},{" "}
            <Age at={message.timestamp} />
          </span>
        </span>
      </Link>
      <MayRun>
        <Link to={`${to}#${message.msg_id}`} className="button small">
          {strings.overview.answer}
        </Link>
      </MayRun>
      {dismiss && <Dismiss dismiss={dismiss} />}
    </div>
  );
}

export function Failed({ task, dismiss }: { task: TaskItem; dismiss: () => void }) {
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

export function TaskLine({ task }: { task: TaskItem }) {
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

function Dismiss({ dismiss }: { dismiss: () => void }) {
  return (
    <IconButton label={strings.overview.dismiss} onClick={dismiss}>
      <Check size={16} aria-hidden />
    </IconButton>
  );
}
