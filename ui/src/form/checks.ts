// Checks of input. The daemon checks again.

import { strings } from "../strings";

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Checks the name of a project or a task. */
export function idProblem(id: string): string | null {
  return id === "" ? strings.form.required : ID.test(id) ? null : strings.form.badId;
}

/** Checks an optional folder on the daemon's machine. */
export function folderProblem(folder: string): string | null {
  return folder === "" || folder.startsWith("/") ? null : strings.form.badPath;
}

/** Checks a required text. */
export function textProblem(text: string): string | null {
  return text.trim() === "" ? strings.form.required : null;
}
