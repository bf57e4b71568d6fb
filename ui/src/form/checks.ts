// What is wrong with what somebody has typed; the daemon has the last word.

import { strings } from "../strings";

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Of the name of a project or a task. */
export function idProblem(id: string): string | null {
  return id === "" ? strings.form.required : ID.test(id) ? null : strings.form.badId;
}

/** Of a folder on the daemon's machine, that may be left out. */
export function folderProblem(folder: string): string | null {
  return folder === "" || folder.startsWith("/") ? null : strings.form.badPath;
}

/** Of a text that must be there. */
export function textProblem(text: string): string | null {
  return text.trim() === "" ? strings.form.required : null;
}
