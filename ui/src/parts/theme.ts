// The theme: light, dark, or that of the system.

import { kept, keepValue } from "../lib/persisted";

export type Theme = "auto" | "light" | "dark";

export const THEMES: Theme[] = ["auto", "light", "dark"];

export function theme(): Theme {
  const value = kept<string>("theme", "auto");
  return THEMES.find((t) => t === value) ?? "auto";
}

/** Applies a theme, and stores it if one is given. */
export function applyTheme(next?: Theme): void {
  if (next !== undefined) keepValue("theme", next);
  const value = next ?? theme();
  if (value === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
  window.dispatchEvent(new Event("conductor:theme"));
}
