// Finds the rows of the tree in view, and keeps them in place when rows above them appear or go.
//
// The rows are of one height, so that this is two divisions. TanStack Virtual, which the views of many heights use, would
// be a twelfth of what the page loads at first (10 of 120 kB), and is needed by nothing else there.

import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { flushSync } from "react-dom";
import type { Row } from "./rows";

/** The rendered range moves in steps of this many rows, so that most scroll events change nothing. */
const STEP = 8;
/** Rows beyond the view, so that a fast scroll shows no gaps. */
const OVERSCAN = 8;

/** The rows that exist: from `first`, without `end`. Row `n` is shown by the element `n % slots`. */
export interface View {
  first: number;
  end: number;
  slots: number;
}

/** Returns the range of the rows in view. */
export function useView(scroller: RefObject<HTMLDivElement | null>, rows: Row[], height: number): View {
  const [view, setView] = useState({ top: 0, size: 40 });
  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    let [top, size] = [-1, -1];
    const look = (): boolean => {
      const before = [top, size];
      top = Math.floor(box.scrollTop / height / STEP) * STEP;
      size = Math.ceil(box.clientHeight / height);
      return before[0] !== top || before[1] !== size;
    };
    const show = (): void => setView({ top, size });
    const scrolled = (): void => {
      // Rendered in the same frame as the scroll: a later one would show blank rows.
      if (look()) flushSync(show);
    };
    const resized = new ResizeObserver(() => {
      if (look()) show();
    });
    look();
    show();
    box.addEventListener("scroll", scrolled, { passive: true });
    resized.observe(box);
    return () => {
      box.removeEventListener("scroll", scrolled);
      resized.disconnect();
    };
  }, [scroller, height]);
  useAnchor(scroller, rows, height);
  const first = Math.max(0, Math.min(view.top, rows.length) - OVERSCAN);
  const slots = view.size + STEP + 2 * OVERSCAN;
  return { first, end: Math.min(rows.length, first + slots), slots };
}

/** Scrolls a row into view if it is outside. */
export function reveal(box: HTMLDivElement | null, n: number, height: number): void {
  if (box === null) return;
  if (n * height < box.scrollTop) box.scrollTop = n * height;
  else if ((n + 1) * height > box.scrollTop + box.clientHeight)
    box.scrollTop = (n + 1) * height - box.clientHeight;
}

/** Keeps the rows in view in place when rows above them appear or go. */
function useAnchor(scroller: RefObject<HTMLDivElement | null>, rows: Row[], height: number): void {
  const before = useRef<Row[]>(rows);
  useLayoutEffect(() => {
    const box = scroller.current;
    const old = before.current;
    before.current = rows;
    if (box === null || old === rows || box.scrollTop < height) return;
    const top = Math.floor(box.scrollTop / height);
    const index = new Map(rows.map((row, n) => [row.key, n]));
    // The first remaining row in view is the anchor.
    for (let n = top; n < Math.min(old.length, top + 50); n += 1) {
      const now = index.get(old[n]?.key ?? "");
      if (now === undefined) continue;
      if (now !== n) box.scrollTop += (now - n) * height;
      return;
    }
  }, [rows, scroller, height]);
}

/** A finger needs more room than a pointer. */
export function useRowHeight(): number {
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
