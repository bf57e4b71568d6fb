// What a topic has told so far, for as many parts of the page as want to know.

import { useEffect, useMemo } from "react";
import { External, useExternal } from "../lib/external";
import { follow, type LiveEvent } from "./stream";

/** What is known of a topic. `data` may be the same object with other contents: `version` counts. */
export interface Feed<T> {
  data: T;
  version: number;
  /** `loading`: not all that was there is told. `done`: nothing more will come. */
  state: "loading" | "ready" | "gone" | "done";
  error: string | null;
}

/** How a topic is understood. */
export interface Reading<T> {
  empty: () => T;
  /** Takes an event in; may change `data` and give it back. */
  take: (data: T, event: LiveEvent) => T;
}

interface Shared {
  store: External<Feed<unknown>>;
  users: number;
  stop: () => void;
  leaving: ReturnType<typeof setTimeout> | undefined;
}

/** How long a topic is kept that nobody looks at: the way back is short. */
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

/** Holds a topic until the function that it gives is called. */
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

/** What a topic has told; of `null` nothing. `from` counts when the topic is new. */
export function useFeed<T>(topic: string | null, from: string, reading: Reading<T>): Feed<T> {
  const store = useMemo(
    () => (topic === null ? NOWHERE : hold(topic, from, reading).store),
    [topic, from, reading],
  );
  useEffect(() => (topic === null ? undefined : keep(topic, from, reading)), [topic, from, reading]);
  const feed = useExternal(store) as Feed<T>;
  return topic === null ? { ...feed, data: reading.empty() } : feed;
}
