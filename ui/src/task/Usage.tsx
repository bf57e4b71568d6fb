// Tokens, cost and time of runs.

import type { Run, Usage } from "../api/types";
import { count, dollars } from "../lib/format";
import { Figures } from "../parts/parts";
import { strings } from "../strings";

/** The sum over runs; `null` if no run reported anything. */
export function sumUsage(runs: Run[]): Usage | null {
  const told = runs.map((r) => r.usage).filter((u): u is Usage => u !== undefined);
  if (told.length === 0) return null;
  const sum: Usage = {};
  for (const usage of told) {
    for (const name of ["input_tokens", "output_tokens", "cached_tokens", "cost_usd"] as const) {
      const value = usage[name];
      if (value !== undefined) sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sum;
}

export function UsageWords({ usage }: { usage: Usage }) {
  const words = [];
  if (usage.input_tokens !== undefined) words.push(`${count(usage.input_tokens)} in`);
  if (usage.output_tokens !== undefined) words.push(`${count(usage.output_tokens)} out`);
  if (usage.cost_usd !== undefined) words.push(dollars(usage.cost_usd));
  return <span className="tabular">{words.join(", ")}</span>;
}

interface Props {
  usage: Usage | null;
  /** Total duration of the runs; `null` if none has begun. */
  time: string | null;
  live: boolean;
}

export function UsageTable({ usage, time, live }: Props) {
  if (time === null) return <p className="note">{strings.task.noRuns}</p>;
  const rows: [string, string][] = [];
  if (usage?.input_tokens !== undefined) rows.push([strings.task.input, count(usage.input_tokens)]);
  if (usage?.cached_tokens !== undefined) rows.push([strings.task.cached, count(usage.cached_tokens)]);
  if (usage?.output_tokens !== undefined) rows.push([strings.task.output, count(usage.output_tokens)]);
  if (usage?.cost_usd !== undefined) rows.push([strings.task.cost, dollars(usage.cost_usd)]);
  rows.push([strings.task.time, time]);
  return (
    <>
      <Figures of={rows} />
      {usage === null && <p className="note">{live ? strings.task.noUsageYet : strings.task.noUsage}</p>}
    </>
  );
}
