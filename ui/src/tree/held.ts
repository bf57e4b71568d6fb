// Nothing in the tree moves under the pointer: while the pointer is in it the rows stay as they are (their signs
// change), and what came or went meanwhile is applied when the pointer leaves, or on demand.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Row } from "./rows";

/** Holds the rows while the pointer is over them; `intent` changes when the user has changed something. */
export function useHeld(fresh: Row[], intent: string) {
  const [inside, setInside] = useState(false);
  const [frozen, setFrozen] = useState<{ keys: string[]; intent: string } | null>(null);
  const byKey = useMemo(() => new Map(fresh.map((row) => [row.key, row])), [fresh]);
  const keys = useMemo(() => fresh.map((row) => row.key), [fresh]);
  // The user's own changes apply at once.
  const holds = frozen !== null && frozen.intent === intent;
  if (inside && !holds) setFrozen({ keys, intent });
  const last = useRef(byKey);
  useEffect(() => {
    if (!holds) last.current = byKey;
    else for (const [key, row] of byKey) last.current.set(key, row);
  }, [byKey, holds]);
  const rows = useMemo(() => {
    if (!holds) return fresh;
    // A removed row is shown unchanged until the list is updated.
    return frozen.keys
      .map((key) => byKey.get(key) ?? last.current.get(key))
      .filter((r): r is Row => r !== undefined);
  }, [holds, fresh, frozen, byKey]);
  const changes = useMemo(() => {
    if (!holds) return 0;
    const before = new Set(frozen.keys);
    return keys.filter((k) => !before.has(k)).length + frozen.keys.filter((k) => !byKey.has(k)).length;
  }, [holds, frozen, keys, byKey]);
  const release = useCallback(() => setFrozen(inside ? { keys, intent } : null), [inside, keys, intent]);
  const enter = useCallback(() => setInside(true), []);
  const leave = useCallback(() => {
    setInside(false);
    setFrozen(null);
  }, []);
  return { rows, held: { inside, changes, enter, leave }, release };
}
