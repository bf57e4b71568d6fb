// The tree beside every page: projects, tasks and runs as rows of one height, of which only those in view exist.
//
// Nothing in it moves under the pointer: while the pointer is in the tree the rows stay as they are (their signs
// change), and what came or went meanwhile is applied when the pointer leaves, or on demand.

import { ChevronRight, CornerDownRight, Folder, RotateCw, Search, X } from "lucide-react";
import { memo, useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Link, useLocation } from "wouter";
import type { Run } from "../api/types";
import { useAsking } from "../bus/questions";
import { useNow } from "../lib/clock";
import { ago, duration, shortRun, shortTask } from "../lib/format";
import { placeOf, places } from "../lib/places";
import { usePersisted } from "../lib/persisted";
import { useRows } from "../lib/rows";
import { StateIcon } from "../parts/Icon";
import { Empty, Loading } from "../parts/parts";
import { strings } from "../strings";
import { FILTERS, rowsOf, type Filter, type Row } from "./rows";
import { RunsOf } from "./RunsOf";
import { taskKey, useTree } from "./tree";

const NO_RUNS: ReadonlyMap<string, Run[]> = new Map();

/** The address of what a row shows. */
function addressOf(row: Row): string {
  switch (row.kind) {
    case "project":
      return places.project(row.project);
    case "task":
      return places.task(row.task.project_id, row.task.id);
    case "run":
      return places.run(row.task.project_id, row.task.id, row.run.id);
  }
}

export function TreePane() {
  const feed = useTree();
  const [filter, setFilter] = usePersisted<Filter>("tree.filter", "all");
  const [search, setSearch] = useState("");
  const [toggledList, setToggled] = usePersisted<string[]>("tree.toggled", []);
  const toggled = useMemo(() => new Set(toggledList), [toggledList]);
  const [runs, setRuns] = useState(NO_RUNS);
  const [location, navigate] = useLocation();
  const asking = useAsking();
  const place = placeOf(location);

  const current =
    place.run !== undefined
      ? `r:${place.run}:${place.task ?? ""}`
      : place.task !== undefined
        ? `t:${taskKey(place.project ?? "", place.task)}`
        : place.project !== undefined
          ? `p:${place.project}`
          : null;

  const { data, version } = feed;
  const fresh = useMemo(
    () => rowsOf(data, { filter, search, toggled, runs }, asking),
    // The maps are changed in place: their version says when.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version, filter, search, toggled, runs, asking],
  );

  const { rows, held, release } = useHeld(
    fresh.rows,
    `${filter}|${search}|${toggledList.join()}|${runs.size}`,
  );
  const inside = held.inside;

  const toggle = useCallback(
    (key: string, on?: boolean) => {
      setToggled((list) => {
        const has = list.includes(key);
        if (on !== undefined && has === on) return list;
        return has ? list.filter((k) => k !== key) : [...list, key];
      });
    },
    [setToggled],
  );

  // A task that one comes to by its address, and whose run is shown, is opened.
  const shownTask = place.run === undefined ? null : `t:${taskKey(place.project ?? "", place.task ?? "")}`;
  useEffect(() => {
    if (shownTask !== null) toggle(shownTask, true);
  }, [shownTask, toggle]);

  const open = useMemo(
    () => fresh.rows.filter((r) => r.kind === "task" && r.open).slice(0, 100),
    [fresh.rows],
  );
  const told = useCallback((key: string, list: Run[] | null) => {
    setRuns((before) => {
      const next = new Map(before);
      if (list === null) next.delete(key);
      else next.set(key, list);
      return next;
    });
  }, []);

  const scroller = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const { first, end, reveal } = useRows(scroller, rows.length, height);
  useAnchor(scroller, rows, height);

  const [cursor, setCursor] = useState<string | null>(null);
  const at = Math.max(
    0,
    rows.findIndex((r) => r.key === (cursor ?? current)),
  );
  const active = rows[at];

  // What the address names comes into view, once, when one gets there.
  const broughtIn = useRef<string | null>(null);
  useEffect(() => {
    if (current === null || broughtIn.current === current) return;
    const n = rows.findIndex((r) => r.key === current);
    if (n < 0) return;
    broughtIn.current = current;
    setCursor(current);
    if (!inside) reveal(n);
  }, [current, rows, reveal, inside]);

  const go = (n: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, n))];
    if (row === undefined) return;
    setCursor(row.key);
    reveal(rows.indexOf(row));
  };

  const onKey = (event: KeyboardEvent): void => {
    if (active === undefined || event.metaKey || event.ctrlKey || event.altKey) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 300) / height) - 1);
    switch (event.key) {
      case "ArrowDown":
        go(at + 1);
        break;
      case "ArrowUp":
        go(at - 1);
        break;
      case "PageDown":
        go(at + page);
        break;
      case "PageUp":
        go(at - page);
        break;
      case "Home":
        go(0);
        break;
      case "End":
        go(rows.length - 1);
        break;
      case "ArrowRight":
        if (active.kind !== "run" && !active.open) toggle(active.key);
        else go(at + 1);
        break;
      case "ArrowLeft":
        if (active.kind !== "run" && active.open && active.kind !== "project") toggle(active.key);
        else if (active.kind === "project") {
          if (active.open) toggle(active.key);
        } else {
          let up = at;
          while (up > 0 && (rows[up]?.depth ?? 0) >= active.depth) up -= 1;
          go(up);
        }
        break;
      case "Enter":
      case " ":
        navigate(addressOf(active));
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div className="tree">
      <div className="tree-head">
        <label className="field-icon">
          <Search size={15} aria-hidden />
          <input
            type="search"
            id="tree-search"
            placeholder={strings.tree.search}
            aria-label={strings.tree.search}
            value={search}
            onChange={(e) => setSearch(e.target.value)}
            onKeyDown={(e) => {
              if (e.key === "ArrowDown") {
                scroller.current?.focus();
                e.preventDefault();
              }
            }}
          />
          {search !== "" && (
            <button
              type="button"
              className="field-clear"
              aria-label={strings.tree.clear}
              onClick={() => setSearch("")}
            >
              <X size={14} aria-hidden />
            </button>
          )}
        </label>
        <div className="chips" role="group" aria-label={strings.tree.filterLabel}>
          {FILTERS.map((f) => (
            <button key={f} type="button" aria-pressed={filter === f} onClick={() => setFilter(f)}>
              {strings.tree.filters[f]}
            </button>
          ))}
        </div>
      </div>
      {open.map(
        (row) =>
          row.kind === "task" && (
            <RunsOf key={row.key} project={row.task.project_id} task={row.task.id} told={told} />
          ),
      )}
      <div
        ref={scroller}
        className="tree-rows"
        role="tree"
        tabIndex={0}
        aria-label={strings.tree.label}
        aria-activedescendant={active ? rowId(active.key) : undefined}
        onKeyDown={onKey}
        onPointerEnter={(e) => {
          if (e.pointerType === "mouse") held.enter();
        }}
        onPointerLeave={held.leave}
      >
        {feed.state === "loading" && data.tasks.size === 0 && <Loading />}
        {feed.state !== "loading" && rows.length === 0 && data.tasks.size === 0 && (
          <Empty title={strings.tree.empty}>
            <p>{strings.tree.emptyHint}</p>
            <Link className="button primary" to={places.newTask}>
              {strings.nav.newTask}
            </Link>
          </Empty>
        )}
        {feed.state !== "loading" && rows.length === 0 && data.tasks.size > 0 && (
          <Empty title={strings.tree.nothing}>
            <button
              type="button"
              className="button"
              onClick={() => {
                setFilter("all");
                setSearch("");
              }}
            >
              {strings.tree.clear}
            </button>
          </Empty>
        )}
        <div role="presentation" className="tree-space" style={{ height: rows.length * height }}>
          {rows.slice(first, end).map((row, n) => (
            <TreeRow
              key={row.key}
              row={row}
              top={(first + n) * height}
              height={height}
              n={first + n + 1}
              of={rows.length}
              current={row.key === current}
              active={row.key === active?.key}
              asks={row.kind === "task" && asking.has(taskKey(row.task.project_id, row.task.id))}
              toggle={toggle}
            />
          ))}
        </div>
      </div>
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

const rowId = (key: string): string => `row-${key.replace(/[^\w-]/g, "_")}`;

interface RowProps {
  row: Row;
  top: number;
  height: number;
  n: number;
  of: number;
  current: boolean;
  active: boolean;
  asks: boolean;
  toggle: (key: string) => void;
}

const TreeRow = memo(function TreeRow({ row, top, height, n, of, current, active, asks, toggle }: RowProps) {
  const expanded = row.kind === "run" || (row.kind === "task" && !row.opens) ? undefined : row.open;
  return (
    <div
      id={rowId(row.key)}
      className={`row row-${row.kind}${current ? " row-current" : ""}${active ? " row-active" : ""}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-expanded={expanded}
      aria-selected={current}
      aria-posinset={n}
      aria-setsize={of}
      style={{ transform: `translateY(${top}px)`, height, paddingInlineStart: 6 + row.depth * 16 }}
    >
      {expanded === undefined ? (
        <span className="twisty" aria-hidden>
          {row.kind === "run" && (row.first ? <CornerDownRight size={13} /> : <RotateCw size={12} />)}
        </span>
      ) : (
        <button
          type="button"
          className="twisty"
          tabIndex={-1}
          aria-hidden
          onClick={() => toggle(row.key)}
          data-open={expanded}
        >
          <ChevronRight size={15} />
        </button>
      )}
      <Link to={addressOf(row)} className="row-link" tabIndex={-1}>
        {row.kind === "project" && (
          <>
            <Folder size={15} className="row-folder" aria-hidden />
            <span className="row-name">{row.project}</span>
            <span className="row-note">{row.active > 0 ? strings.tree.running(row.active) : row.count}</span>
          </>
        )}
        {row.kind === "task" && (
          <>
            <StateIcon status={row.task.status} />
            <span className="row-name" title={row.task.id}>
              {shortTask(row.task.id)}
            </span>
            {asks && (
              <span className="row-asks" title={strings.tree.asks}>
                ?<span className="sr">{strings.tree.asks}</span>
              </span>
            )}
            {row.task.queue_position !== undefined && (
              <span className="row-note" title={strings.tree.position(row.task.queue_position)}>
                #{row.task.queue_position}
              </span>
            )}
            {row.task.run_count > 1 && (
              <span className="row-note" title={strings.tree.runsTitle(row.task.run_count)}>
                {strings.tree.runs(row.task.run_count)}
              </span>
            )}
            <RowAge at={row.task.last_activity} />
          </>
        )}
        {row.kind === "run" && (
          <>
            <StateIcon status={row.run.status} size={14} />
            <span className="row-name" title={row.run.previous_run_id ? strings.tree.restartOf : row.run.id}>
              {shortRun(row.run.id)}
            </span>
            <RunTime run={row.run} />
          </>
        )}
      </Link>
    </div>
  );
});

function RowAge({ at }: { at: string | undefined }) {
  const now = useNow(30_000);
  return at === undefined ? null : <span className="row-note row-age">{ago(now - Date.parse(at))}</span>;
}

function RunTime({ run }: { run: Run }) {
  const live = run.end_time === undefined && run.status === "running";
  const now = useNow(live ? 1000 : null);
  if (run.start_time === undefined) return null;
  const end = run.end_time === undefined ? (live ? now : null) : Date.parse(run.end_time);
  return end === null ? null : <span className="row-note">{duration(end - Date.parse(run.start_time))}</span>;
}

/** Holds the rows while the pointer is among them; `intent` changes when the reader himself changed something. */
function useHeld(fresh: Row[], intent: string) {
  const [inside, setInside] = useState(false);
  const [frozen, setFrozen] = useState<{ keys: string[]; intent: string } | null>(null);
  const byKey = useMemo(() => new Map(fresh.map((row) => [row.key, row])), [fresh]);
  const keys = useMemo(() => fresh.map((row) => row.key), [fresh]);
  // What the reader does himself is done at once.
  const holds = frozen !== null && frozen.intent === intent;
  if (inside && !holds) setFrozen({ keys, intent });
  const last = useRef(byKey);
  useEffect(() => {
    if (!holds) last.current = byKey;
    else for (const [key, row] of byKey) last.current.set(key, row);
  }, [byKey, holds]);
  const rows = useMemo(() => {
    if (!holds) return fresh;
    // What has gone is shown as it was until the list is updated.
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

/** Keeps what is in view in its place when rows come or go above it. */
function useAnchor(scroller: React.RefObject<HTMLDivElement | null>, rows: Row[], height: number): void {
  const before = useRef<Row[]>(rows);
  useEffect(() => {
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
