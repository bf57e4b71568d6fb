// Exchanges the code after the `#` of the address, which `run-agent ui` puts there, for a key of this page.

import { post, storeKey } from "./client";

const CODE = /^#code=([\w.~-]+)$/;

/** Returns true if the address has a code. */
export function hasCode(): boolean {
  return CODE.test(window.location.hash);
}

/** Exchanges the code of the address for a key for this tab, and removes the code from the address at once. */
export async function exchangeCode(): Promise<void> {
  const code = CODE.exec(window.location.hash)?.[1];
  if (code === undefined) return;
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  const { key } = await post<{ key: string }>("/api/v1/auth/keys", { code });
  storeKey(key);
}
