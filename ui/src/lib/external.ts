// State outside of React that notifies components at most once per frame.

import { useSyncExternalStore } from "react";

/** A store for components. Each change replaces its value or increments its version. */
export class External<T> {
  private readonly listeners = new Set<() => void>();
  private scheduled = false;

  constructor(private value: T) {}

  readonly get = (): T => this.value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(value: T): void {
    if (Object.is(this.value, value)) return;
    this.value = value;
    if (this.scheduled) return;
    this.scheduled = true;
    // A hidden page has no frames.
    if (document.hidden) setTimeout(this.tell, 50);
    else requestAnimationFrame(this.tell);
  }

  private readonly tell = (): void => {
    this.scheduled = false;
    for (const listener of [...this.listeners]) listener();
  };
}

/** Returns the current value of a store. */
export function useExternal<T>(external: External<T>): T {
  return useSyncExternalStore(external.subscribe, external.get);
}
