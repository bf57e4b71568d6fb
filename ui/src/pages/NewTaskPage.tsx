// A new task: what is to be done, by which agent, where, after what. What is written is kept until it is sent.

import "../styles/form.css";
import { useMutation, useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { useEffect, useId, useMemo, useRef, useState, type ReactNode } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { ApiError, get, path, post } from "../api/client";
import type { Message, NewTask, Started } from "../api/types";
import { useDraft } from "../lib/draft";
import { shortTask, taskName } from "../lib/format";
import { once } from "../lib/once";
import { kept, keepValue } from "../lib/persisted";
import { places } from "../lib/places";
import { StateIcon } from "../parts/Icon";
import { Failure } from "../parts/parts";
import { strings } from "../strings";
import { useTree } from "../tree/tree";
import { useAgents } from "./Overview";

interface Draft {
  project: string;
  /** Empty: made from the prompt. */
  task: string;
  agent: string;
  prompt: string;
  folder: string;
  after: string[];
}

const EMPTY: Draft = { project: "", task: "", agent: "", prompt: "", folder: "", after: [] };
const ID = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;

export default function NewTaskPage() {
  const query = new URLSearchParams(useSearch());
  const answers = query.get("answers");
  const parentTask = query.get("task");
  const given = query.get("project");
  const [draft, setDraft, forget] = useDraft<Draft>(answers === null ? "task" : `task.${answers}`, EMPTY);
  const { data } = useTree();
  const agents = useAgents();
  const folders = useFolders();
  const [, navigate] = useLocation();
  const [tried, setTried] = useState(false);
  const [made] = useState(() => new Date());
  const key = useRef(once());

  const project = draft.project || given || kept("form.project", "");
  const agent =
    draft.agent || usable(kept("form.agent", ""), agents.data) || usable("demo", agents.data) || "";
  const name = draft.task || taskName(draft.prompt, made);
  const known = data.projects.get(project);
  const chosen = agents.data?.find((a) => a.name === agent);
  const set = (change: Partial<Draft>): void => setDraft({ ...draft, ...change });

  const parent = useQuery({
    queryKey: ["message", given, parentTask, answers],
    queryFn: async ({ signal }) => {
      const all = await get<{ messages: Message[] }>(
        path`/api/projects/${given ?? ""}/tasks/${parentTask ?? ""}/messages`,
        signal,
      );
      return all.messages.find((m) => m.msg_id === answers) ?? null;
    },
    enabled: answers !== null && given !== null && parentTask !== null,
  });

  const problems = {
    project: project === "" ? strings.form.required : ID.test(project) ? null : strings.form.badId,
    task: ID.test(name) ? null : strings.form.badId,
    agent: agent === "" ? strings.form.required : null,
    prompt: draft.prompt.trim() === "" ? strings.form.required : null,
    folder: draft.folder === "" || draft.folder.startsWith("/") ? null : strings.form.badPath,
  };
  const sound = Object.values(problems).every((p) => p === null);

  const create = useMutation({
    mutationFn: () => {
      const message = parent.data;
      const task: NewTask = {
        project_id: project,
        task_id: name,
        agent_type: agent,
        prompt: draft.prompt,
        ...(draft.after.length > 0 ? { depends_on: draft.after } : {}),
        ...(draft.folder !== "" ? { cwd: draft.folder } : {}),
        ...(message?.task_id !== undefined && message.run_id !== undefined
          ? {
              thread_parent: {
                project_id: message.project_id,
                task_id: message.task_id,
                run_id: message.run_id,
                message_id: message.msg_id,
              },
              thread_message_type: "USER_REQUEST",
            }
          : {}),
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
      // An answer means that it was not done; without one the same request may be sent again.
      if (error instanceof ApiError && error.status !== 0) key.current = once();
    },
  });
  // Another content is another request.
  const content = JSON.stringify([draft, project, agent]);
  useEffect(() => {
    key.current = once();
  }, [content]);

  const others = useMemo(
    () =>
      [...data.tasks.values()]
        .filter((t) => t.project_id === project && !draft.after.includes(t.id))
        .sort((a, b) => ((a.created_at ?? "") < (b.created_at ?? "") ? 1 : -1)),
    [data, project, draft.after],
  );
  const submit = (): void => {
    setTried(true);
    if (sound && !create.isPending) create.mutate();
  };
  const dirty = JSON.stringify(draft) !== JSON.stringify(EMPTY);
  return (
    <div className="page page-form">
      <header className="page-head page-head-tight">
        <div className="page-title">
          <h1>{strings.nav.newTask}</h1>
        </div>
      </header>
      <form
        className="form"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          submit();
        }}
        onKeyDown={(e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) submit();
        }}
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
          <Field
            label={strings.form.project}
            hint={strings.form.projectHint}
            problem={tried || project !== "" ? problems.project : null}
          >
            {(p) => (
              <>
                <input
                  {...p}
                  value={project}
                  list="projects"
                  autoComplete="off"
                  onChange={(e) => set({ project: e.target.value.trim() })}
                />
                <datalist id="projects">
                  {[...data.projects.keys()].map((name) => (
                    <option key={name} value={name} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
          <Field
            label={strings.form.agent}
            problem={
              tried && problems.agent !== null
                ? problems.agent
                : chosen?.problem !== undefined
                  ? `${strings.form.agentProblem} ${chosen.problem}`
                  : null
            }
          >
            {(p) => (
              <select {...p} value={agent} onChange={(e) => set({ agent: e.target.value })}>
                {agent === "" && <option value="" />}
                {[...(agents.data ?? [])]
                  .sort((a, b) => Number(b.installed) - Number(a.installed))
                  .map((a) => (
                    <option key={a.name} value={a.name}>
                      {a.name}
                      {a.version !== undefined ? ` ${a.version}` : ""}
                      {a.installed ? "" : ` (${strings.form.notInstalled})`}
                    </option>
                  ))}
              </select>
            )}
          </Field>
        </div>
        <Field
          label={strings.form.task}
          hint={strings.form.taskHint}
          problem={tried || draft.task !== "" ? problems.task : null}
        >
          {(p) => (
            <input
              {...p}
              value={draft.task}
              placeholder={name}
              autoComplete="off"
              onChange={(e) => set({ task: e.target.value.trim() })}
            />
          )}
        </Field>
        <Field
          label={strings.form.folder}
          hint={
            known?.project_root === undefined
              ? strings.form.folderNone
              : strings.form.folderProject(known.project_root)
          }
          problem={problems.folder}
        >
          {(p) => (
            <>
              <input
                {...p}
                value={draft.folder}
                list="folders"
                autoComplete="off"
                onChange={(e) => set({ folder: e.target.value })}
              />
              <datalist id="folders">
                {folders.map((dir) => (
                  <option key={dir} value={dir} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        <Field label={strings.form.dependsOn} hint={strings.form.dependsHint} problem={null}>
          {(p) => (
            <div className="depends">
              {draft.after.length > 0 && (
                <ul className="tags">
                  {draft.after.map((id) => (
                    <li key={id} className="tag">
                      <StateIcon status={data.tasks.get(`${project}/${id}`)?.status ?? "unknown"} size={13} />
                      {shortTask(id)}
                      <button
                        type="button"
                        aria-label={strings.form.remove(shortTask(id))}
                        onClick={() => set({ after: draft.after.filter((d) => d !== id) })}
                      >
                        <X size={13} aria-hidden />
                      </button>
                    </li>
                  ))}
                </ul>
              )}
              <select
                {...p}
                value=""
                disabled={others.length === 0}
                onChange={(e) => set({ after: [...draft.after, e.target.value] })}
              >
                <option value="">{strings.form.addDependency}</option>
                {others.slice(0, 500).map((t) => (
                  <option key={t.id} value={t.id}>
                    {shortTask(t.id)} ({strings.status[t.status]})
                  </option>
                ))}
              </select>
            </div>
          )}
        </Field>
        {create.isError && (
          <div className="failure" role="alert">
            <p>
              {create.error instanceof ApiError && create.error.status === 0
                ? strings.form.lost
                : create.error.message}
            </p>
          </div>
        )}
        <div className="form-foot">
          {dirty && (
            <>
              <span className="note">{strings.form.draft}</span>
              <button type="button" className="link-button" onClick={forget}>
                {strings.form.clear}
              </button>
            </>
          )}
          <span className="toolbar-gap" />
          <Link to={places.overview} className="button">
            {strings.form.cancel}
          </Link>
          <button
            type="submit"
            className="button primary"
            disabled={create.isPending}
            title={strings.form.submitKey}
          >
            {create.isPending ? strings.form.creating : strings.form.create}
          </button>
        </div>
      </form>
    </div>
  );
}

/** A name, if there is an installed agent of it. */
function usable(
  name: string,
  agents: { name: string; installed: boolean }[] | undefined,
): string | undefined {
  return agents?.find((a) => a.name === name && a.installed)?.name;
}

export function useFolders(): string[] {
  const dirs = useQuery({
    queryKey: ["home-dirs"],
    queryFn: async ({ signal }) => (await get<{ dirs: string[] }>("/api/projects/home-dirs", signal)).dirs,
    staleTime: 30_000,
  });
  return dirs.data ?? [];
}

interface FieldProps {
  label: string;
  hint?: string;
  problem: string | null;
  children: (props: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ReactNode;
}

export function Field({ label, hint, problem, children }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-hint`, "aria-invalid": problem !== null })}
      <p id={`${id}-hint`} className={problem === null ? "field-hint" : "field-problem"}>
        {problem ?? hint}
      </p>
    </div>
  );
}
