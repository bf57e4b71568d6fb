// Tells if the window has room for two panes.

import { useSyncExternalStore } from "react";

const query = matchMedia("(min-width: 900px)");

export function useWide(): boolean {
  return useSyncExternalStore(
    (changed) => {
      query.addEventListener("change", changed);
      return () => query.removeEventListener("change", changed);
    },
    () => query.matches,
  );
}
