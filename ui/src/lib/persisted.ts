// State that survives a reload, in this browser.

import { useCallback, useState } from "react";

const PREFIX = "conductor.";

/** Reads what was kept under a name. */
export function kept<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

/** Keeps a value under a name; `undefined` forgets it. */
export function keepValue(name: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing shows everything all the same.
  }
}

/** As `useState`, and kept. */
export function usePersisted<T>(name: string, otherwise: T): [T, (next: T | ((before: T) => T)) => void] {
  const [value, setValue] = useState<T>(() => kept(name, otherwise));
  const set = useCallback(
    (next: T | ((before: T) => T)) => {
      setValue((before) => {
        const value = typeof next === "function" ? (next as (before: T) => T)(before) : next;
        keepValue(name, value);
        return value;
      });
    },
    [name],
  );
  return [value, set];
}
