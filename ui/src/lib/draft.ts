// Drafts of forms, which survive a reload.

import { useCallback, useEffect, useRef, useState } from "react";
import { kept, keepValue } from "./persisted";

/** The draft of this name: its value, a setter, and a function that discards it. */
export function useDraft<T>(name: string, empty: T): [T, (value: T) => void, () => void] {
  const key = `draft.${name}`;
  const [value, setValue] = useState<T>(() => kept(key, empty));
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(value);
  const save = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = undefined;
    keepValue(key, JSON.stringify(latest.current) === JSON.stringify(empty) ? undefined : latest.current);
    // Only the value of `empty` at the first render counts.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
  const change = useCallback(
    (next: T) => {
      latest.current = next;
      setValue(next);
      timer.current ??= setTimeout(save, 250);
    },
    [save],
  );
  const forget = useCallback(() => {
    latest.current = empty;
    setValue(empty);
    save();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [save]);
  useEffect(() => {
    const leave = (): void => {
      if (timer.current !== undefined) save();
    };
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      leave();
    };
  }, [save]);
  return [value, change, forget];
}
