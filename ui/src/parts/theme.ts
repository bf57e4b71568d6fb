// Light, dark, or as the system is.

import { kept, keepValue } from "../lib/persisted";

export type Theme = "auto" | "light" | "dark";

export const THEMES: Theme[] = ["auto", "light", "dark"];

export function theme(): Theme {
  const value = kept<string>("theme", "auto");
  return THEMES.find((t) => t === value) ?? "auto";
}

/** Shows the page in a theme, and keeps it where one is given. */
export function applyTheme(next?: Theme): void {
  if (next !== undefined) keepValue("theme", next);
  const value = next ?? theme();
  if (value === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
  window.dispatchEvent(new Event("conductor:theme"));
}
