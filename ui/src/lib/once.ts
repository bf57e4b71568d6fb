// Idempotency keys for requests that may be sent twice.

/** Returns a random unique key. */
export function once(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ui-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}
