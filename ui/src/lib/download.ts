// Saves a file of the daemon by a plain link, so that the browser streams it to the disk. A link cannot send a key, so
// if one is required, the link has a ticket that works once.

import { post, storedKey } from "../api/client";

/** Saves the answer of an API address under a name. */
export async function download(address: string, name: string): Promise<void> {
  const url = new URL(address, window.location.origin);
  if (storedKey() !== null) {
    const { ticket } = await post<{ ticket: string }>("/api/v1/tickets", { path: url.pathname });
    url.searchParams.set("ticket", ticket);
  }
  const link = document.createElement("a");
  link.href = url.href;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}
