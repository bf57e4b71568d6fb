// The one stream of the page: all followed topics over one connection.
//
// It resumes after a sleep, a lost network or a restart of the daemon. A hidden page disconnects after a while,
// because a browser has six connections to a host for all its tabs.

import { createParser } from "eventsource-parser";
import { ApiError, headers, onRefused } from "../api/client";
import { External } from "../lib/external";

/** An event of a topic; its other fields depend on its type. */
export interface LiveEvent {
  topic?: string;
  type: string;
  [field: string]: unknown;
}

/** The state of the connection; times are in milliseconds since the epoch. */
export interface Connection {
  state: "connecting" | "live" | "lost" | "paused";
  /** The time when it became live, was paused, or was lost; retries do not change it. */
  since: number;
  /** The last time when it was live or, while it is live, the time when it became so. */
  fresh: number;
}

type Handler = (event: LiveEvent) => void;

interface Followed {
  begin: string;
  handler: Handler;
}

/** The daemon sends something every 15 s; a connection that is silent for longer is dead. */
const SILENCE = 40_000;
/** Changes of the followed topics come in bursts and are collected for this time. */
const SETTLE = 20;
/** A hidden page stays connected this long. */
const HIDDEN = 60_000;
const BACKOFF = [250, 500, 1000, 2000, 4000];

const followed = new Map<string, Followed>();
export const connection = new External<Connection>({
  state: "connecting",
  since: Date.now(),
  fresh: Date.now(),
});

let cursor: string | null = null;
let open: AbortController | null = null;
let settling: ReturnType<typeof setTimeout> | undefined;
let retrying: ReturnType<typeof setTimeout> | undefined;
let resting: ReturnType<typeof setTimeout> | undefined;
let heard = 0;
let failures = 0;
let asked = "";

function become(state: Connection["state"]): void {
  const before = connection.get();
  if (before.state === state) return;
  const now = Date.now();
  const away = (s: Connection["state"]): boolean => s === "connecting" || s === "lost";
  connection.set({
    state,
    since: away(state) && away(before.state) ? before.since : now,
    fresh: state === "live" || before.state === "live" ? now : before.fresh,
  });
}

/** Follows a topic; `begin` is the part after its `?`. One handler per topic. */
export function follow(topic: string, begin: string, handler: Handler): () => void {
  followed.set(topic, { begin, handler });
  settle();
  return () => {
    if (followed.get(topic)?.handler !== handler) return;
    followed.delete(topic);
    settle();
  };
}

function settle(): void {
  clearTimeout(settling);
  settling = setTimeout(() => {
    if (wanted() !== asked) connect();
  }, SETTLE);
}

function wanted(): string {
  return [...followed]
    .map(([topic, { begin }]) => encodeURIComponent(begin ? `${topic}?${begin}` : topic))
    .join();
}

function connect(): void {
  clearTimeout(retrying);
  open?.abort();
  open = null;
  asked = wanted();
  if (asked === "" || connection.get().state === "paused") return;
  if (connection.get().state !== "live") become("connecting");
  const controller = new AbortController();
  open = controller;
  void listen(asked, controller.signal).then(
    () => retry(controller),
    (error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return;
      // The daemon does not know the cursor: it sends everything again.
      if (error instanceof ApiError && error.status === 400 && cursor !== null) forget();
      retry(controller);
    },
  );
}

function forget(): void {
  cursor = null;
  for (const [topic, { handler }] of followed) handler({ topic, type: "reset" });
}

function retry(controller: AbortController): void {
  if (open !== controller) return;
  open = null;
  become("lost");
  const wait = BACKOFF[Math.min(failures, BACKOFF.length - 1)] ?? 4000;
  failures += 1;
  retrying = setTimeout(connect, wait);
}

async function listen(topics: string, signal: AbortSignal): Promise<void> {
  const after = cursor === null ? "" : `&after=${encodeURIComponent(cursor)}`;
  const response = await fetch(`/api/v1/stream?topics=${topics}${after}`, {
    headers: headers({ Accept: "text/event-stream" }),
    cache: "no-store",
    signal,
  });
  if (!response.ok || response.body === null) {
    if (response.status === 401) refused();
    throw new ApiError(response.status, response.statusText);
  }
  failures = 0;
  become("live");
  const parser = createParser({
    onEvent: (message) => {
      const event = JSON.parse(message.data) as LiveEvent;
      if (event.topic === undefined) {
        if (event.type === "reset") forget();
      } else followed.get(event.topic)?.handler(event);
      if (message.id !== undefined) cursor = message.id;
    },
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  heard = Date.now();
  const watchdog = setInterval(() => {
    if (Date.now() - heard > SILENCE) void reader.cancel();
  }, 5000);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      heard = Date.now();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearInterval(watchdog);
  }
}

let refused = (): void => undefined;

/** Starts to manage the connection; called once per page. */
export function start(onUnauthorized: () => void): void {
  refused = onUnauthorized;
  onRefused(onUnauthorized);
  window.addEventListener("online", reconnect);
  window.addEventListener("offline", () => {
    become("lost");
  });
  document.addEventListener("visibilitychange", () => {
    clearTimeout(resting);
    if (document.hidden) {
      resting = setTimeout(() => {
        open?.abort();
        open = null;
        clearTimeout(retrying);
        become("paused");
      }, HIDDEN);
    } else if (connection.get().state !== "live" || Date.now() - heard > SILENCE / 2) {
      // After a sleep a dead connection looks alive until it is checked.
      reconnect();
    }
  });
}

/** Connects at once instead of after the pause. */
export function reconnect(): void {
  failures = 0;
  become("connecting");
  connect();
}
