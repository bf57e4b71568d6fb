// A new project: its name, and the folder that its agents work in.

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { ApiError, post } from "../api/client";
import type { Project } from "../api/types";
import { useDraft } from "../lib/draft";
import { places } from "../lib/places";
import { strings } from "../strings";
import { Field, useFolders } from "./NewTaskPage";

const EMPTY = { name: "", folder: "" };

export default function NewProjectPage() {
  const [draft, setDraft, forget] = useDraft("project", EMPTY);
  const [tried, setTried] = useState(false);
  const folders = useFolders();
  const [, navigate] = useLocation();
  const problems = {
    name:
      draft.name === ""
        ? strings.form.required
        : /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(draft.name)
          ? null
          : strings.form.badId,
    folder:
      draft.folder === ""
        ? strings.form.required
        : draft.folder.startsWith("/")
          ? null
          : strings.form.badPath,
  };
  const create = useMutation({
    mutationFn: () => post<Project>("/api/projects", { project_id: draft.name, project_root: draft.folder }),
    onSuccess: (project) => {
      forget();
      navigate(places.project(project.id));
    },
  });
  return (
    <div className="page page-form">
      <header className="page-head page-head-tight">
        <div className="page-title">
          <h1>{strings.nav.newProject}</h1>
        </div>
      </header>
      <form
        className="form"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setTried(true);
          if (problems.name === null && problems.folder === null && !create.isPending) create.mutate();
        }}
      >
        <Field
          label={strings.form.project}
          hint={strings.form.badId}
          problem={tried || draft.name !== "" ? problems.name : null}
        >
          {(p) => (
            <input
              {...p}
              autoFocus
              autoComplete="off"
              value={draft.name}
              onChange={(e) => setDraft({ ...draft, name: e.target.value.trim() })}
            />
          )}
        </Field>
        <Field
          label={strings.form.folder}
          hint={strings.form.folderHint}
          problem={tried || draft.folder !== "" ? problems.folder : null}
        >
          {(p) => (
            <>
              <input
                {...p}
                list="folders"
                autoComplete="off"
                value={draft.folder}
                onChange={(e) => setDraft({ ...draft, folder: e.target.value })}
              />
              <datalist id="folders">
                {folders.map((dir) => (
                  <option key={dir} value={dir} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        {create.isError && (
          <div className="failure" role="alert">
            <p>
              {create.error instanceof ApiError && create.error.status === 0
                ? strings.error.unreachable
                : create.error.message}
            </p>
          </div>
        )}
        <div className="form-foot">
          <span className="toolbar-gap" />
          <Link to={places.overview} className="button">
            {strings.form.cancel}
          </Link>
          <button type="submit" className="button primary" disabled={create.isPending}>
            {create.isPending ? strings.form.creating : strings.form.createProject}
          </button>
        </div>
      </form>
    </div>
  );
}
