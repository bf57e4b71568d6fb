// The present time, for what is shown as "so long ago". It ticks only where something on the page needs it.

import { useEffect, useState } from "react";

/** The time now, in milliseconds, renewed so often. `null`: it stands still. */
export function useNow(every: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (every === null) return;
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
