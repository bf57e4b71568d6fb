// The bus of a project, with those of its tasks, and the choice of the project.

import { useMemo } from "react";
import { useLocation } from "wouter";
import { BusView } from "../bus/BusView";
import { recent, seen, unreadOf } from "../bus/unread";
import { useExternal } from "../lib/external";
import { kept, keepValue } from "../lib/persisted";
import { places } from "../lib/places";
import { EmptyPage, Loading } from "../parts/parts";
import { NewLink } from "../parts/MayRun";
import { strings } from "../strings";
import { useTree } from "../tree/tree";

export default function MessagesPage({ project }: { project?: string }) {
  const { data, version, state } = useTree();
  const [, navigate] = useLocation();
  const all = useExternal(recent);
  const marks = useExternal(seen);
  const names = useMemo(
    () =>
      [...data.projects.values()]
        .sort((a, b) => (a.last_activity < b.last_activity ? 1 : -1))
        .map((p) => p.id),
    // The maps are changed in place, so their version is the dependency.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version],
  );
  const last = kept<string>("bus.project", "");
  const shown = project ?? (names.includes(last) ? last : names[0]);
  if (shown === undefined) {
    return state === "loading" ? (
      <Loading />
    ) : (
      <EmptyPage title={strings.bus.pickNone}>
        <NewLink primary to={places.newProject}>
          {strings.nav.newProject}
        </NewLink>
      </EmptyPage>
    );
  }
  return (
    <div className="page page-fill">
      <header className="page-head page-head-tight">
        <div className="page-title">
          <h1>{strings.bus.title}</h1>
          <select
            aria-label={strings.bus.pick}
            value={shown}
            onChange={(e) => {
              keepValue("bus.project", e.target.value);
              navigate(places.projectBus(e.target.value));
            }}
          >
            {(names.includes(shown) ? names : [shown, ...names]).map((name) => {
              const n = name === shown ? 0 : unreadOf(name, all.get(name) ?? [], marks);
              return (
                <option key={name} value={name}>
                  {name}
                  {n > 0 ? ` (${n})` : ""}
                </option>
              );
            })}
          </select>
        </div>
      </header>
      <BusView key={shown} project={shown} />
    </div>
  );
}
