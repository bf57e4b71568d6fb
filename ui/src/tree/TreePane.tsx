// The tree beside every page: projects, tasks and runs as rows of one height. Only the rows in view are rendered.

import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useLocation } from "wouter";
import type { Run } from "../api/types";
import { useAsking } from "../bus/questions";
import { places } from "../lib/places";
import { usePersisted } from "../lib/persisted";
import { Empty, Inline, Loading } from "../parts/parts";
import { NewLink } from "../parts/MayRun";
import { strings } from "../strings";
import { useHeld } from "./held";
import { moveOf } from "./keys";
import { addressOf, rowAt } from "./place";
import { rowsOf, type Filter } from "./rows";
import { RunsOf } from "./RunsOf";
import { useTree } from "./tree";
import { TreeHead } from "./TreeHead";
import { TreeRows } from "./TreeRows";
import { reveal, useRowHeight } from "./view";

const NO_RUNS: ReadonlyMap<string, Run[]> = new Map();
/** Maximum number of open tasks with live runs. */
const OPEN_TASKS = 100;

export function TreePane() {
  const feed = useTree();
  const [filter, setFilter] = usePersisted<Filter>("tree.filter", "all");
  const [search, setSearch] = useState("");
  const [toggledList, toggle] = useToggled();
  const [runs, told] = useRuns();
  const [location, navigate] = useLocation();
  const asking = useAsking();
  const { current, opened } = rowAt(location);

  const { data, version } = feed;
  const fresh = useMemo(
    () => rowsOf(data, { filter, search, toggled: new Set(toggledList), runs }, asking),
    // The maps are changed in place, so their version is the dependency.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version, filter, search, toggledList, runs, asking],
  );
  const intent = `${filter}|${search}|${toggledList.join()}|${runs.size}`;
  const { rows, held, release } = useHeld(fresh.rows, intent);
  const { inside } = held;

  // An address of a run opens the run's task in the tree.
  useEffect(() => {
    if (opened !== null) toggle(opened, true);
  }, [opened, toggle]);
  const open = useMemo(
    () => fresh.rows.filter((r) => r.kind === "task" && r.open).slice(0, OPEN_TASKS),
    [fresh.rows],
  );

  const scroller = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const [cursor, setCursor] = useState<string | null>(null);
  const at = Math.max(
    0,
    rows.findIndex((r) => r.key === (cursor ?? current)),
  );
  const active = rows[at];

  // After a navigation, the row of the address is scrolled into view once.
  const broughtIn = useRef<string | null>(null);
  useEffect(() => {
    if (current === null || broughtIn.current === current) return;
    const n = rows.findIndex((r) => r.key === current);
    if (n < 0) return;
    broughtIn.current = current;
    setCursor(current);
    if (!inside) reveal(scroller.current, n, height);
  }, [current, rows, height, inside]);

  const onKey = (event: KeyboardEvent): void => {
    if (active === undefined || event.metaKey || event.ctrlKey || event.altKey) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 300) / height) - 1);
    const move = moveOf(event.key, rows, at, page);
    if (move === null) return;
    event.preventDefault();
    if (move === "visit") navigate(addressOf(active));
    else if ("toggle" in move) toggle(move.toggle);
    else {
      const n = Math.max(0, Math.min(rows.length - 1, move.go));
      setCursor(rows[n]?.key ?? null);
      reveal(scroller.current, n, height);
    }
  };

  return (
    <div className="tree">
      <TreeHead
        search={search}
        setSearch={setSearch}
        filter={filter}
        setFilter={setFilter}
        down={() => scroller.current?.focus()}
      />
      {open.map(
        (row) =>
          row.kind === "task" && (
            <RunsOf key={row.key} project={row.task.project_id} task={row.task.id} told={told} />
          ),
      )}
      {rows.length === 0 ? (
        <div className="tree-rows">
          {feed.state === "loading" ? (
            <Loading />
          ) : (
            <NoRows
              none={data.tasks.size === 0}
              showAll={() => {
                setFilter("all");
                setSearch("");
              }}
            />
          )}
        </div>
      ) : (
        <TreeRows
          scroller={scroller}
          rows={rows}
          height={height}
          current={current}
          at={at}
          asking={asking}
          toggle={toggle}
          onKey={onKey}
          enter={held.enter}
          leave={held.leave}
        />
      )}
      <div className="tree-foot">
        <span role="status">
          {feed.state === "loading" ? "" : strings.tree.shown(fresh.shown, fresh.total)}
        </span>
        {held.changes > 0 && (
          <button type="button" className="link-button" onClick={release}>
            {strings.tree.held(held.changes)}
          </button>
        )}
      </div>
    </div>
  );
}

function NoRows({ none, showAll }: { none: boolean; showAll: () => void }) {
  return none ? (
    <Empty title={strings.tree.empty}>
      <p>
        <Inline text={strings.tree.emptyHint} />
      </p>
      <NewLink primary to={places.newTask}>
        {strings.nav.newTask}
      </NewLink>
    </Empty>
  ) : (
    <Empty title={strings.tree.nothing}>
      <button type="button" className="button" onClick={showAll}>
        {strings.tree.clear}
      </button>
    </Empty>
  );
}

/** The keys of the rows that differ from the default state, stored in this browser. */
function useToggled(): [string[], (key: string, on?: boolean) => void] {
  const [list, setList] = usePersisted<string[]>("tree.toggled", []);
  const toggle = useCallback(
    (key: string, on?: boolean) => {
      setList((before) => {
        const has = before.includes(key);
        if (on !== undefined && has === on) return before;
        return has ? before.filter((k) => k !== key) : [...before, key];
      });
    },
    [setList],
  );
  return [list, toggle];
}

/** The runs of the open tasks, and a function to set them. */
function useRuns(): [ReadonlyMap<string, Run[]>, (key: string, list: Run[] | null) => void] {
  const [runs, setRuns] = useState(NO_RUNS);
  const told = useCallback((key: string, list: Run[] | null) => {
    setRuns((before) => {
      const next = new Map(before);
      if (list === null) next.delete(key);
      else next.set(key, list);
      return next;
    });
  }, []);
  return [runs, told];
}
