// Of a long list of rows of one height those that are in view. (Rows of many heights are measured by TanStack Virtual,
// which is three times this page's own code, and is not needed before somebody opens a log.)

import { useCallback, useEffect, useState, type RefObject } from "react";

/** Rows beyond the view, so that a fast scroll shows no gaps. */
const OVERSCAN = 12;

export interface Rows {
  first: number;
  end: number;
  /** Brings a row into view, if it is not. */
  reveal: (n: number) => void;
}

export function useRows(scroller: RefObject<HTMLElement | null>, count: number, height: number): Rows {
  const [view, setView] = useState({ top: 0, size: 900 });
  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    const look = (): void => {
      const top = Math.floor(box.scrollTop / height);
      const size = Math.ceil(box.clientHeight / height);
      setView((v) => (v.top === top && v.size === size ? v : { top, size }));
    };
    look();
    box.addEventListener("scroll", look, { passive: true });
    const resized = new ResizeObserver(look);
    resized.observe(box);
    return () => {
      box.removeEventListener("scroll", look);
      resized.disconnect();
    };
  }, [scroller, height]);
  const reveal = useCallback(
    (n: number) => {
      const box = scroller.current;
      if (box === null) return;
      if (n * height < box.scrollTop) box.scrollTop = n * height;
      else if ((n + 1) * height > box.scrollTop + box.clientHeight)
        box.scrollTop = (n + 1) * height - box.clientHeight;
    },
    [scroller, height],
  );
  const first = Math.max(0, Math.min(view.top - OVERSCAN, count - 1));
  return { first, end: Math.min(count, view.top + view.size + OVERSCAN), reveal };
}
