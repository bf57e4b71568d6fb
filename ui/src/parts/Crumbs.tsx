// Where a page lies, above its title.

import { Link } from "wouter";
import { shortTask } from "../lib/format";
import { places } from "../lib/places";
import { strings } from "../strings";

export function Crumbs({ project, task }: { project: string; task?: string }) {
  return (
    <nav className="crumbs" aria-label={strings.nav.back}>
      <Link to={places.project(project)}>{project}</Link>
      {task !== undefined && (
        <>
          <span aria-hidden>/</span>
          <Link to={places.task(project, task)} title={task}>
            {shortTask(task)}
          </Link>
        </>
      )}
    </nav>
  );
}
