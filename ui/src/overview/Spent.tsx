// Totals of the runs in a recent period.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get } from "../api/client";
import type { Activity } from "../api/types";
import { usePersisted } from "../lib/persisted";
import { Card, Failure, Loading } from "../parts/parts";
import { strings } from "../strings";
import { Charts } from "./Charts";

/** The length of each period and of its steps, in seconds. */
const PERIODS = { day: [86_400, 3600], week: [7 * 86_400, 6 * 3600], month: [30 * 86_400, 86_400] } as const;

export function Spent({ ended }: { ended: number }) {
  const [period, setPeriod] = usePersisted<keyof typeof PERIODS>("overview.period", "day");
  const [length, step] = PERIODS[period] ?? PERIODS.day;
  // Fetched again only when a task has ended.
  const [settled, setSettled] = useState(ended);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(ended), 2000);
    return () => clearTimeout(timer);
  }, [ended]);
  const activity = useQuery({
    queryKey: ["activity", period, settled],
    queryFn: ({ signal }) => {
      const whole = (t: number): number => Math.ceil(t / (step * 1000)) * step * 1000;
      const since = new Date(whole(Date.now()) - length * 1000).toISOString();
      return get<Activity>(`/api/v1/activity?since=${since}&step=${step}`, signal);
    },
    placeholderData: (before) => before,
  });
  const chooser = (
    <div className="chips" role="group" aria-label={strings.overview.window.label}>
      {(Object.keys(PERIODS) as (keyof typeof PERIODS)[]).map((p) => (
        <button key={p} type="button" aria-pressed={p === period} onClick={() => setPeriod(p)}>
          {strings.overview.window[p]}
        </button>
      ))}
    </div>
  );
  return (
    <Card title={strings.overview.spent} actions={chooser}>
      {activity.isPending && <Loading />}
      {activity.isError && <Failure error={activity.error} again={() => void activity.refetch()} />}
      {activity.data && <Charts data={activity.data} length={length} />}
    </Card>
  );
}
