// The breadcrumbs above the title of a page, with a button that copies the link.

import { Link } from "wouter";
import { shortTask } from "../lib/format";
import { places } from "../lib/places";
import { CopyButton } from "./parts";
import { strings } from "../strings";

export function Crumbs({ project, task }: { project: string; task?: string }) {
  return (
    <div className="crumbs">
      <nav aria-label={strings.nav.path}>
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
      <CopyButton text={() => window.location.href} label={strings.copyLink} />
    </div>
  );
}
