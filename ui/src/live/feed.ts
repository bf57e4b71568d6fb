// The data of a topic so far, shared by all components that follow it.

import { useEffect, useMemo } from "react";
import { External, useExternal } from "../lib/external";
import { follow, type LiveEvent } from "./stream";

/** The state of a topic. `data` may be changed in place, so compare `version`. */
export interface Feed<T> {
  data: T;
  version: number;
  /** `loading`: the existing events have not all arrived. `done`: nothing more will come. */
  state: "loading" | "ready" | "gone" | "done";
  error: string | null;
}

/** Interprets the events of a topic. */
export interface Reading<T> {
  empty: () => T;
  /** Applies an event; may change `data` in place and return it. */
  take: (data: T, event: LiveEvent) => T;
}

interface Shared {
  store: External<Feed<unknown>>;
  users: number;
  stop: () => void;
  leaving: ReturnType<typeof setTimeout> | undefined;
}

/** An unused topic is kept this long, so that going back is fast. */
const GRACE = 3000;
const feeds = new Map<string, Shared>();

function begin<T>(topic: string, from: string, reading: Reading<T>): Shared {
  const store = new External<Feed<T>>({ data: reading.empty(), version: 0, state: "loading", error: null });
  const stop = follow(topic, from, (event) => {
    const now = store.get();
    const next = { ...now, version: now.version + 1 };
    switch (event.type) {
      case "ready":
        store.set({ ...next, state: now.state === "done" ? "done" : "ready", error: null });
        break;
      case "reset":
        store.set({ ...next, data: reading.empty(), state: "loading", error: null });
        break;
      case "gone":
        store.set({ ...next, data: reading.empty(), state: "gone", error: String(event["error"] ?? "") });
        break;
      case "error":
        store.set({ ...next, error: String(event["error"] ?? "") });
        break;
      case "done":
        store.set({ ...next, state: "done", error: null });
        break;
      default:
        store.set({ ...next, data: reading.take(now.data, event) });
    }
  });
  return { store: store as External<Feed<unknown>>, users: 0, stop, leaving: undefined };
}

function hold<T>(topic: string, from: string, reading: Reading<T>): Shared {
  let shared = feeds.get(topic);
  if (shared === undefined) {
    shared = begin(topic, from, reading);
    feeds.set(topic, shared);
  }
  return shared;
}

/** Subscribes to a topic until the returned function is called. */
export function keep<T>(topic: string, from: string, reading: Reading<T>): () => void {
  const shared = hold(topic, from, reading);
  clearTimeout(shared.leaving);
  shared.users += 1;
  return () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    shared.leaving = setTimeout(() => {
      shared.stop();
      if (feeds.get(topic) === shared) feeds.delete(topic);
    }, GRACE);
  };
}

const NOWHERE = new External<Feed<unknown>>({ data: undefined, version: 0, state: "loading", error: null });

/** Returns the state of a topic; `null` has none. `from` only matters for a new topic. */
export function useFeed<T>(topic: string | null, from: string, reading: Reading<T>): Feed<T> {
  const store = useMemo(
    () => (topic === null ? NOWHERE : hold(topic, from, reading).store),
    [topic, from, reading],
  );
  useEffect(() => (topic === null ? undefined : keep(topic, from, reading)), [topic, from, reading]);
  const feed = useExternal(store) as Feed<T>;
  return topic === null ? { ...feed, data: reading.empty() } : feed;
}
