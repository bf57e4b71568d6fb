// Which rows of the tree are in view, and that they stay there when others come or go above them.
//
// The rows are of one height, so that this is two divisions. TanStack Virtual, which the views of many heights use, would
// be a twelfth of what the page loads at first (10 of 120 kB), and is needed by nothing else there.

import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { flushSync } from "react-dom";
import type { Row } from "./rows";

/** Rows beyond the view, so that a fast scroll shows no gaps. */
const OVERSCAN = 12;

export interface View {
  /** The rows that exist: from `first`, without `end`. */
  first: number;
  end: number;
  height: number;
  /** Brings a row into view, if it is not. */
  reveal: (n: number) => void;
}

/** What of these rows is in view. `scroller` may come and go with them. */
export function useView(scroller: RefObject<HTMLDivElement | null>, rows: Row[]): View {
  const height = useRowHeight();
  const [view, setView] = useState({ top: 0, size: 40 });
  const there = rows.length > 0;
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null || !there) return;
    const look = (): void => {
      const top = Math.floor(box.scrollTop / height);
      const size = Math.ceil(box.clientHeight / height);
      setView((v) => (v.top === top && v.size === size ? v : { top, size }));
    };
    // In the frame that scrolls: later is a blank.
    const scrolled = (): void => flushSync(look);
    look();
    box.addEventListener("scroll", scrolled, { passive: true });
    const resized = new ResizeObserver(look);
    resized.observe(box);
    return () => {
      box.removeEventListener("scroll", scrolled);
      resized.disconnect();
    };
  }, [scroller, height, there]);
  useAnchor(scroller, rows, height);
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
  const first = Math.max(0, Math.min(view.top, rows.length) - OVERSCAN);
  return { first, end: Math.min(rows.length, view.top + view.size + OVERSCAN), height, reveal };
}

/** Keeps what is in view in its place when rows come or go above it. */
function useAnchor(scroller: RefObject<HTMLDivElement | null>, rows: Row[], height: number): void {
  const before = useRef<Row[]>(rows);
  useLayoutEffect(() => {
    const box = scroller.current;
    const old = before.current;
    before.current = rows;
    if (box === null || old === rows || box.scrollTop < height) return;
    const top = Math.floor(box.scrollTop / height);
    const index = new Map(rows.map((row, n) => [row.key, n]));
    // The first row in view that is still there holds its place.
    for (let n = top; n < Math.min(old.length, top + 50); n += 1) {
      const now = index.get(old[n]?.key ?? "");
      if (now === undefined) continue;
      if (now !== n) box.scrollTop += (now - n) * height;
      return;
    }
  }, [rows, scroller, height]);
}

/** A finger needs more room than a pointer. */
function useRowHeight(): number {
  const query = "(pointer: coarse), (max-width: 720px)";
  const [coarse, setCoarse] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const change = (): void => setCoarse(list.matches);
    list.addEventListener("change", change);
    return () => list.removeEventListener("change", change);
  }, []);
  return coarse ? 44 : 30;
}
