// The form for a new project: its name and folder.

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { post } from "../api/client";
import { useFolders } from "../api/queries";
import type { Project } from "../api/types";
import { folderProblem, idProblem, textProblem } from "../form/checks";
import { FormPage } from "../form/FormPage";
import { TextField } from "../form/TextField";
import { useDraft } from "../lib/draft";
import { places } from "../lib/places";
import { strings } from "../strings";

const EMPTY = { name: "", folder: "" };

export default function NewProjectPage() {
  const [draft, setDraft, forget] = useDraft("project", EMPTY);
  const [tried, setTried] = useState(false);
  const folders = useFolders();
  const [, navigate] = useLocation();
  const name = idProblem(draft.name);
  const folder = textProblem(draft.folder) ?? folderProblem(draft.folder);
  const create = useMutation({
    mutationFn: () => post<Project>("/api/projects", { project_id: draft.name, project_root: draft.folder }),
    onSuccess: (project) => {
      forget();
      navigate(places.project(project.id));
    },
  });
  return (
    <FormPage
      title={strings.nav.newProject}
      action={strings.form.createProject}
      pending={create.isPending}
      error={create.error}
      lost={strings.error.unreachable}
      submit={() => {
        setTried(true);
        if (name === null && folder === null) create.mutate();
      }}
    >
      <TextField
        label={strings.form.project}
        hint={strings.form.badId}
        problem={tried || draft.name !== "" ? name : null}
        value={draft.name}
        change={(text) => setDraft({ ...draft, name: text.trim() })}
        autoFocus
      />
      <TextField
        label={strings.form.folder}
        hint={strings.form.folderHint}
        problem={tried || draft.folder !== "" ? folder : null}
        value={draft.folder}
        change={(text) => setDraft({ ...draft, folder: text })}
        suggestions={folders}
      />
    </FormPage>
  );
}
