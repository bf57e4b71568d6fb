// The code that `run-agent ui` puts behind the `#` of the address: exchanged for a key of this page, once.

import { post, storeKey } from "./client";

const CODE = /^#code=([\w.~-]+)$/;

/** Whether the address has a code. */
export function hasCode(): boolean {
  return CODE.test(window.location.hash);
}

/** Exchanges the code of the address for a key, which is kept in this tab. The code leaves the address at once. */
export async function exchangeCode(): Promise<void> {
  const code = CODE.exec(window.location.hash)?.[1];
  if (code === undefined) return;
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  const { key } = await post<{ key: string }>("/api/v1/auth/keys", { code });
  storeKey(key);
}
