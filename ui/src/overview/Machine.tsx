// The daemon's places, agents and disk.

import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { get } from "../api/client";
import { useAgents } from "../api/queries";
import type { DiskUse, Status } from "../api/types";
import { agentNote } from "../lib/agent";
import { useNow } from "../lib/clock";
import { bytes, duration } from "../lib/format";
import { places } from "../lib/places";
import { StateIcon } from "../parts/Icon";
import { Card } from "../parts/parts";
import { strings } from "../strings";

export function Machine({ running }: { running: number }) {
  const status = useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => get<Status>("/api/v1/status", signal),
    staleTime: 60_000,
  });
  const now = useNow(status.data ? 60_000 : null);
  if (!status.data) return null;
  const up = status.data.uptime_seconds * 1000 + (now - status.dataUpdatedAt);
  return (
    <Card title={strings.overview.machine}>
      <dl className="facts facts-tall">
        <div className="fact">
          <dt>{strings.overview.version}</dt>
          <dd>{status.data.version}</dd>
        </div>
        <div className="fact">
          <dt>{strings.overview.uptime}</dt>
          <dd className="tabular">{duration(up)}</dd>
        </div>
        <div className="fact">
          <dt>{strings.overview.limits}</dt>
          <dd>{strings.overview.limitsText(running, status.data.max_concurrent_root_tasks)}</dd>
        </div>
      </dl>
    </Card>
  );
}

export function Agents() {
  const agents = useAgents();
  if (!agents.data || agents.data.length === 0) return null;
  return (
    <Card title={strings.overview.agents}>
      <ul className="list">
        {[...agents.data]
          .sort((a, b) => Number(b.usable) - Number(a.usable) || (a.name < b.name ? -1 : 1))
          .map((agent) => (
            <li key={agent.name} className="list-row" title={agent.problem ?? agent.program}>
              <StateIcon status={agent.usable ? "completed" : "idle"} size={14} />
              <span className="list-name">{agent.name}</span>
              <span className="list-note">{agentNote(agent)}</span>
            </li>
          ))}
      </ul>
    </Card>
  );
}

export function Disk() {
  const disk = useQuery({
    queryKey: ["disk"],
    queryFn: ({ signal }) => get<DiskUse>("/api/v1/disk", signal),
    staleTime: 300_000,
  });
  if (!disk.data) return null;
  const { free_bytes: free, total_bytes: total, projects, root } = disk.data;
  const used = total > 0 ? ((total - free) / total) * 100 : 0;
  const largest = [...projects].sort((a, b) => b.bytes - a.bytes).slice(0, 6);
  const most = Math.max(1, ...largest.map((p) => p.bytes));
  return (
    <Card title={strings.overview.disk}>
      <p className="note">
        {strings.overview.diskFree(bytes(free), bytes(total))}
        <br />
        <code className="cut" title={root}>
          {root}
        </code>
      </p>
      <div
        className={`meter${used > 90 ? " meter-full" : ""}`}
        role="img"
        aria-label={`${Math.round(used)} %`}
      >
        <span style={{ width: `${used}%` }} />
      </div>
      <ul className="list">
        {largest.map((p) => (
          <li key={p.id}>
            <Link to={places.project(p.id)} className="list-row disk-row">
              <span className="list-name">{p.id}</span>
              <span className="disk-bar" aria-hidden>
                <span style={{ width: `${(p.bytes / most) * 100}%` }} />
              </span>
              <span className="list-note tabular">{bytes(p.bytes)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
