// The keyboard commands of the tree follow the ARIA pattern: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/

import type { Row } from "./rows";

/** The effect of a key: the cursor moves to a row, its row is opened or closed, or its page is shown. */
export type Move = { go: number } | { toggle: string } | "visit" | null;

/** Returns the effect of a key with the cursor at row `at` and `page` rows in view. */
export function moveOf(key: string, rows: Row[], at: number, page: number): Move {
  const active = rows[at];
  if (active === undefined) return null;
  const open = active.kind !== "run" && active.open;
  switch (key) {
    case "ArrowDown":
      return { go: at + 1 };
    case "ArrowUp":
      return { go: at - 1 };
    case "PageDown":
      return { go: at + page };
    case "PageUp":
      return { go: at - page };
    case "Home":
      return { go: 0 };
    case "End":
      return { go: rows.length - 1 };
    case "ArrowRight":
      return active.kind === "run" || open ? { go: at + 1 } : { toggle: active.key };
    case "ArrowLeft":
      return open ? { toggle: active.key } : { go: above(rows, at) };
    case "Enter":
    case " ":
      return "visit";
    default:
      return null;
  }
}

/** Returns the parent row of a row, or the row itself if it has none. */
function above(rows: Row[], at: number): number {
  const depth = rows[at]?.depth ?? 0;
  if (depth === 0) return at;
  let up = at;
  while (up > 0 && (rows[up]?.depth ?? 0) >= depth) up -= 1;
  return up;
}
