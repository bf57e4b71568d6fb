// The form for a message: to a project, to a task, or as an answer. Its text is kept until it is sent.

import { useMutation } from "@tanstack/react-query";
import { Send, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { path, post } from "../api/client";
import type { Message } from "../api/types";
import { useDraft } from "../lib/draft";
import { shortTask } from "../lib/format";
import { once } from "../lib/once";
import { strings } from "../strings";

/** The message types that a user writes, the usual one first. */
const KINDS = ["USER", "QUESTION", "FACT", "DECISION", "PROGRESS", "ERROR"];

interface Props {
  project: string;
  task: string | undefined;
  fixedTask: boolean;
  reply: Message | null;
  cancel: () => void;
  sent: () => void;
}

export function Compose({ project, task, fixedTask, reply, cancel, sent }: Props) {
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
    // An error answer means that nothing was posted. Without an answer, the same request may be sent again.
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
