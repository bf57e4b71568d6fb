// Requests to the daemon: with the key of this tab, and errors with the daemon's text.

import { strings } from "../strings";

const KEY = "conductor.key";

/** A failed request; `status` is 0 if the daemon was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

type Listener = () => void;
const refused = new Set<Listener>();

/** Registers a callback for a 401 of the daemon. */
export function onRefused(listener: Listener): () => void {
  refused.add(listener);
  return () => refused.delete(listener);
}

/** Returns the key of this tab, if it has one. */
export function storedKey(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Stores a key for this tab only, or removes it. */
export function storeKey(key: string | null): void {
  try {
    if (key === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, key);
  } catch {
    // Without storage, the page asks for the key again after a reload.
  }
}

/** Returns the headers of every request of the page. */
export function headers(more?: Record<string, string>): Record<string, string> {
  const key = storedKey();
  return {
    "X-Conductor-Client": "web-ui",
    ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
    ...more,
  };
}

async function told(response: Response): Promise<ApiError> {
  let message = response.statusText || String(response.status);
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null && "error" in body && typeof body.error === "string") {
      message = body.error;
    }
  } catch {
    // The answer is not JSON: only its status is known.
  }
  if (response.status === 401) for (const listener of refused) listener();
  return new ApiError(response.status, message);
}

/** Sends a request. Returns the answer, or throws if it is not a success. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: headers(init.headers as Record<string, string>) });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, strings.error.unreachable);
  }
  if (!response.ok) throw await told(response);
  return response;
}

/** GETs JSON. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

/** POSTs JSON. With `once` (an idempotency key) a repeated request has no further effect. */
export async function post<T>(path: string, body?: unknown, once?: string): Promise<T> {
  const more: Record<string, string> = {};
  if (body !== undefined) more["Content-Type"] = "application/json";
  if (once !== undefined) more["Idempotency-Key"] = once;
  const response = await send(path, {
    method: "POST",
    headers: more,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as T;
}

/** Joins the parts of a path, each encoded. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((all, part, n) => all + encodeURIComponent(values[n - 1] ?? "") + part);
}
