// One project: its tasks, totals and folder.

import { useQuery } from "@tanstack/react-query";
import { MessagesSquare } from "lucide-react";
import { useMemo } from "react";
import { Link } from "wouter";
import { get, path } from "../api/client";
import type { Stats } from "../api/types";
import { bytes, shortTask } from "../lib/format";
import { places } from "../lib/places";
import { whyOf } from "../lib/why";
import { StateIcon } from "../parts/Icon";
import { Age, Card, Command, Empty, NoSuch, Loading, PageHead } from "../parts/parts";
import { NewLink } from "../parts/MayRun";
import { strings } from "../strings";
import { useTree } from "../tree/tree";
import { Fact } from "./RunPage";

const RECENT = 50;

export default function ProjectPage({ project }: { project: string }) {
  const { data, version, state } = useTree();
  const known = data.projects.get(project);
  const tasks = useMemo(
    () =>
      [...data.tasks.values()]
        .filter((t) => t.project_id === project)
        .sort((a, b) => ((a.last_activity ?? "") < (b.last_activity ?? "") ? 1 : -1)),
    // The maps are changed in place, so their version is the dependency.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [data, version, project],
  );
  const stats = useQuery({
    queryKey: ["stats", project, known?.last_activity],
    queryFn: ({ signal }) => get<Stats>(path`/api/projects/${project}/stats`, signal),
    enabled: known !== undefined,
    placeholderData: (before) => before,
  });
  if (known === undefined) {
    return state === "loading" ? <Loading /> : <NoSuch title={strings.project.goneTitle} name={project} />;
  }
  const s = stats.data;
  return (
    <div className="page">
      <PageHead title={project}>
        <Link className="button" to={places.projectBus(project)}>
          <MessagesSquare size={15} aria-hidden />
          {strings.project.messages}
        </Link>
        <NewLink primary to={`${places.newTask}?project=${encodeURIComponent(project)}`}>
          {strings.nav.newTask}
        </NewLink>
      </PageHead>
      <div className="grid">
        <div className="grid-main">
          <Card
            title={strings.project.recent}
            actions={<span className="card-note">{known.task_count}</span>}
          >
            {tasks.length === 0 ? (
              <Empty title={strings.tree.empty} />
            ) : (
              <ul className="list">
                {tasks.slice(0, RECENT).map((task) => (
                  <li key={task.id}>
                    <Link to={places.task(project, task.id)} className="list-row list-tall">
                      <StateIcon status={task.status} size={18} />
                      <span className="list-text">
                        <span className="list-name">{shortTask(task.id)}</span>
                        <span className="list-sub">{whyOf(task)}</span>
                      </span>
                      <span className="list-note">
                        <Age at={task.last_activity} bare />
                      </span>
                    </Link>
                  </li>
                ))}
              </ul>
            )}
            {tasks.length > RECENT && <p className="note">{strings.overview.more(tasks.length - RECENT)}</p>}
          </Card>
        </div>
        <div className="grid-side">
          <Card title={strings.project.folder}>
            {known.project_root === undefined ? (
              <p className="note">{strings.project.noFolder}</p>
            ) : (
              <p className="path">
                <code>{known.project_root}</code>
              </p>
            )}
          </Card>
          {s && (
            <Card title={strings.project.stats}>
              <dl className="facts facts-tall">
                <Fact name={strings.status.running}>{s.running_runs}</Fact>
                <Fact name={strings.status.completed}>{s.completed_runs}</Fact>
                <Fact name={strings.status.failed}>{s.failed_runs}</Fact>
                <Fact name={strings.status.stopped}>{s.stopped_runs}</Fact>
                <Fact name={strings.bus.title}>{bytes(s.message_bus_total_bytes)}</Fact>
              </dl>
            </Card>
          )}
          <Card title={strings.project.destroy}>
            <p className="note">{strings.project.destroyHint}</p>
            <Command text={`run-agent gc --project ${project} --older-than 30d --dry-run`} />
            <Command text={`run-agent server project delete ${project}`} />
          </Card>
        </div>
      </div>
    </div>
  );
}
