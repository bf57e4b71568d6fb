// The current time, for relative times. It ticks only while a component needs it.

import { useEffect, useState } from "react";

/** The current time in milliseconds, updated at this interval; `null`: never. */
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
