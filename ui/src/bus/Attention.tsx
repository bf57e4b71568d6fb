// Follows the buses of the projects to find open questions and unread messages. Renders nothing.

import { useEffect, useMemo } from "react";
import type { Message } from "../api/types";
import { useTree } from "../tree/tree";
import { useBus } from "./bus";
import { questions } from "./questions";
import { recent, seen, markSeen } from "./unread";

/** Maximum number of projects to follow: those with the latest activity. */
const MOST = 24;

export function Attention() {
  const { data, version } = useTree();
  const names = useMemo(
    () =>
      [...data.projects.values()]
        .sort((a, b) => (a.last_activity < b.last_activity ? 1 : -1))
        .slice(0, MOST)
        .map((p) => p.id),
    // The maps are changed in place, so their version is the dependency.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version],
  );
  // A task that was created to answer a message counts as its answer.
  const answered = useMemo(
    () => {
      const ids = new Set<string>();
      for (const task of data.tasks.values()) if (task.thread_parent) ids.add(task.thread_parent.message_id);
      return ids;
    },
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version],
  );
  return names.map((name) => <OneBus key={name} project={name} answered={answered} />);
}

function OneBus({ project, answered }: { project: string; answered: ReadonlySet<string> }) {
  const feed = useBus(project);
  const messages = feed.data;
  const ready = feed.state === "ready";
  useEffect(() => {
    recent.set(new Map(recent.get()).set(project, messages));
    return () => {
      const rest = new Map(recent.get());
      rest.delete(project);
      recent.set(rest);
    };
  }, [project, messages]);
  useEffect(() => {
    const last = messages[messages.length - 1];
    if (ready && last !== undefined && seen.get()[project] === undefined) markSeen(project, last);
  }, [ready, project, messages]);
  useEffect(() => {
    const others = [...questions.get()].filter(([, m]) => m.project_id !== project);
    const open = openQuestions(messages, answered).map((m): [string, Message] => [m.msg_id, m]);
    questions.set(new Map([...others, ...open]));
  }, [project, messages, answered]);
  return null;
}

/** The questions without an answer among the messages. The end of their task is not an answer. */
export function openQuestions(messages: Message[], answered: ReadonlySet<string>): Message[] {
  const replied = new Set<string>(answered);
  for (const message of messages) for (const parent of message.parents ?? []) replied.add(parent);
  return messages.filter((m) => m.type === "QUESTION" && !replied.has(m.msg_id));
}
