// The form for a new task: prompt, agent, folder and dependencies. The draft is kept until it is sent.

import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { ApiError, get, path, post } from "../api/client";
import { useAgents, useFolders } from "../api/queries";
import type { Agent, Message, Messages, NewTask, Started } from "../api/types";
import { AfterField } from "../form/AfterField";
import { AgentField } from "../form/AgentField";
import { folderProblem, idProblem, textProblem } from "../form/checks";
import { Field } from "../form/Field";
import { FormPage } from "../form/FormPage";
import { TextField } from "../form/TextField";
import { useDraft } from "../lib/draft";
import { taskName } from "../lib/format";
import { once } from "../lib/once";
import { kept, keepValue } from "../lib/persisted";
import { places } from "../lib/places";
import { Failure } from "../parts/parts";
import { strings } from "../strings";
import { useTree } from "../tree/tree";

interface Draft {
  project: string;
  /** Empty: derived from the prompt. */
  task: string;
  agent: string;
  prompt: string;
  folder: string;
  after: string[];
}

const EMPTY: Draft = { project: "", task: "", agent: "", prompt: "", folder: "", after: [] };

export default function NewTaskPage() {
  const query = new URLSearchParams(useSearch());
  const answers = query.get("answers");
  const given = query.get("project");
  const parent = useMessage(given, query.get("task"), answers);
  const [draft, setDraft, forget] = useDraft<Draft>(answers === null ? "task" : `task.${answers}`, EMPTY);
  const { data, version } = useTree();
  const agents = useAgents();
  const folders = useFolders();
  const [, navigate] = useLocation();
  const [tried, setTried] = useState(false);
  const [made] = useState(() => new Date());

  const project = draft.project || given || kept("form.project", "");
  const agent = draft.agent || usable(kept("form.agent", ""), agents.data) || theOnlyOne(agents.data) || "";
  const name = draft.task || taskName(draft.prompt, made);
  const known = data.projects.get(project);
  const set = (change: Partial<Draft>): void => setDraft({ ...draft, ...change });
  const tasks = useMemo(
    () => [...data.tasks.values()].filter((t) => t.project_id === project),
    // The maps are changed in place, so their version is the dependency.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version, project],
  );

  const problems = {
    project: idProblem(project),
    task: idProblem(name),
    agent: textProblem(agent),
    prompt: textProblem(draft.prompt),
    folder: folderProblem(draft.folder),
  };
  const sound = Object.values(problems).every((p) => p === null);

  const key = useRef(once());
  const create = useMutation({
    mutationFn: () => {
      const task: NewTask = {
        project_id: project,
        task_id: name,
        agent_type: agent,
        prompt: draft.prompt,
        ...(draft.after.length > 0 ? { depends_on: draft.after } : {}),
        ...(draft.folder !== "" ? { cwd: draft.folder } : {}),
        ...threadOf(parent.data),
      };
      return post<Started>("/api/v1/tasks", task, key.current);
    },
    onSuccess: (started) => {
      keepValue("form.project", project);
      keepValue("form.agent", agent);
      forget();
      navigate(places.task(started.project_id, started.task_id));
    },
    onError: (error) => {
      // An error answer means that no task was created. Without an answer, the same request may be sent again.
      if (error instanceof ApiError && error.status !== 0) key.current = once();
    },
  });
  // A changed form is a new request, with a new idempotency key.
  const content = JSON.stringify([draft, project, agent]);
  useEffect(() => {
    key.current = once();
  }, [content]);

  const dirty = JSON.stringify(draft) !== JSON.stringify(EMPTY);
  return (
    <FormPage
      title={strings.nav.newTask}
      action={strings.form.create}
      pending={create.isPending}
      error={create.error}
      lost={strings.form.lost}
      submit={() => {
        setTried(true);
        if (sound) create.mutate();
      }}
      foot={
        dirty && (
          <>
            <span className="note">{strings.form.draft}</span>
            <button type="button" className="link-button" onClick={forget}>
              {strings.form.clear}
            </button>
          </>
        )
      }
    >
      {parent.data && (
        <blockquote className="form-parent">
          <span className="kind">{strings.form.answerTo}</span> {parent.data.body.slice(0, 400)}
        </blockquote>
      )}
      {parent.isError && <Failure error={parent.error} />}
      <Field
        label={strings.form.prompt}
        hint={strings.form.promptHint}
        problem={tried ? problems.prompt : null}
      >
        {(p) => (
          <textarea
            {...p}
            rows={8}
            value={draft.prompt}
            autoFocus
            onChange={(e) => set({ prompt: e.target.value })}
          />
        )}
      </Field>
      <div className="form-two">
        <TextField
          label={strings.form.project}
          hint={strings.form.projectHint}
          problem={tried || project !== "" ? problems.project : null}
          value={project}
          change={(text) => set({ project: text.trim() })}
          suggestions={[...data.projects.keys()]}
        />
        <AgentField
          agents={agents.data ?? []}
          value={agent}
          problem={tried ? problems.agent : null}
          change={(value) => set({ agent: value })}
        />
      </div>
      <TextField
        label={strings.form.task}
        hint={strings.form.taskHint}
        problem={tried || draft.task !== "" ? problems.task : null}
        value={draft.task}
        placeholder={name}
        change={(text) => set({ task: text.trim() })}
      />
      <TextField
        label={strings.form.folder}
        hint={
          known?.project_root === undefined
            ? strings.form.folderNone
            : strings.form.folderProject(known.project_root)
        }
        problem={problems.folder}
        value={draft.folder}
        change={(text) => set({ folder: text })}
        suggestions={folders}
      />
      <AfterField tasks={tasks} value={draft.after} change={(after) => set({ after })} />
    </FormPage>
  );
}

/** The message that the new task answers, if the address names one. */
function useMessage(project: string | null, task: string | null, id: string | null) {
  return useQuery({
    queryKey: ["message", project, task, id],
    queryFn: async ({ signal }) => {
      const all = await get<Messages>(
        path`/api/projects/${project ?? ""}/tasks/${task ?? ""}/messages`,
        signal,
      );
      return all.messages.find((m) => m.msg_id === id) ?? null;
    },
    enabled: id !== null && project !== null && task !== null,
  });
}

/** Shows the message that a new task answers. */
function threadOf(message: Message | null | undefined): Partial<NewTask> {
  if (message?.task_id === undefined || message.run_id === undefined) return {};
  return {
    thread_parent: {
      project_id: message.project_id,
      task_id: message.task_id,
      run_id: message.run_id,
      message_id: message.msg_id,
    },
    thread_message_type: "USER_REQUEST",
  };
}

/** Returns a name if the agent of that name is usable. */
function usable(name: string, agents: Agent[] | undefined): string | undefined {
  return agents?.find((a) => a.name === name && a.usable)?.name;
}

/** Returns the default agent by the rule of the command line; the demo agent is never the default. */
function theOnlyOne(agents: Agent[] | undefined): string | undefined {
  const found = agents?.filter((a) => a.usable && a.type !== "demo") ?? [];
  return found.length === 1 ? found[0]?.name : undefined;
}
