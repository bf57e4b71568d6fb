// Names for requests that may be sent twice and are to be done once.

/** A name that nobody else gives. */
export function once(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ui-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}
