// The rows of the tree that are in view. A scroll renders these and nothing else: the elements are used again for other
// rows, as they stand one below the other, so that little is made and nothing thrown away.

import { useCallback, type KeyboardEvent, type MouseEvent, type RefObject } from "react";
import { useLocation, useRouter } from "wouter";
import { useNow } from "../lib/clock";
import { strings } from "../strings";
import type { Row } from "./rows";
import { taskKey } from "./tree";
import { rowId, TreeRow } from "./TreeRow";
import { useView } from "./view";

interface Props {
  scroller: RefObject<HTMLDivElement | null>;
  rows: Row[];
  height: number;
  /** The key of the row for the current page. */
  current: string | null;
  /** The number of the row with the keyboard cursor. */
  at: number;
  asking: ReadonlySet<string>;
  toggle: (key: string) => void;
  onKey: (event: KeyboardEvent) => void;
  enter: () => void;
  leave: () => void;
}

export function TreeRows(props: Props) {
  const { scroller, rows, height, current, at, asking, toggle, onKey, enter, leave } = props;
  const { first, end, slots } = useView(scroller, rows, height);
  const now = useNow(30_000);
  const { base } = useRouter();
  const [, navigate] = useLocation();
  const visit = useCallback(
    (event: MouseEvent<HTMLAnchorElement>) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      navigate(event.currentTarget.getAttribute("href")?.slice(base.length) ?? "/");
    },
    [navigate, base],
  );
  const active = rows[at];
  return (
    <div
      ref={scroller}
      className="tree-rows"
      role="tree"
      tabIndex={0}
      aria-label={strings.tree.label}
      aria-activedescendant={active && at >= first && at < end ? rowId(active.key) : undefined}
      onKeyDown={onKey}
      onPointerEnter={(e) => {
        if (e.pointerType === "mouse") enter();
      }}
      onPointerLeave={leave}
    >
      <div role="presentation" className="tree-space" style={{ height: rows.length * height }}>
        {rows.slice(first, end).map((row, i) => {
          const n = first + i;
          return (
            <TreeRow
              key={n % slots}
              row={row}
              top={n * height}
              height={height}
              n={n + 1}
              of={rows.length}
              current={row.key === current}
              active={n === at}
              asks={row.kind === "task" && asking.has(taskKey(row.task.project_id, row.task.id))}
              now={now}
              base={base}
              toggle={toggle}
              visit={visit}
            />
          );
        })}
      </div>
    </div>
  );
}
