// State that survives a reload, in this browser.

import { useCallback, useState } from "react";

const PREFIX = "conductor.";

/** Reads the value stored under a name. */
export function kept<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

/** Stores a value under a name; `undefined` removes it. */
export function keepValue(name: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Without storage the page works, and forgets the value.
  }
}

/** Like `useState`, and stored. */
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
