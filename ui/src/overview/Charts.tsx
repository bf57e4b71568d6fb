// Totals of the runs in each step of time: as figures, and as bars.

import { Suspense, useMemo } from "react";
import type { Activity } from "../api/types";
import { count, dollars } from "../lib/format";
import { Empty, Figures, Loading } from "../parts/parts";
import { Chart } from "../render/lazy";
import { strings } from "../strings";

/** `length` is the length of the period in seconds. */
export function Charts({ data, length }: { data: Activity; length: number }) {
  const series = useMemo(() => {
    const start = Date.parse(data.since) / 1000;
    const n = Math.ceil(length / data.step);
    const at = Array.from({ length: n }, (_, i) => start + i * data.step);
    const by = new Map(
      data.steps.map((s) => [Math.round((Date.parse(s.start) / 1000 - start) / data.step), s]),
    );
    const pick = (f: (s: Activity["steps"][number]) => number): number[] =>
      at.map((_, i) => {
        const step = by.get(i);
        return step === undefined ? 0 : f(step);
      });
    return {
      at,
      good: pick((s) => s.completed),
      all: pick((s) => s.ended),
      tokens: pick((s) => (s.usage.input_tokens ?? 0) + (s.usage.output_tokens ?? 0)),
      cost: pick((s) => s.usage.cost_usd ?? 0),
    };
  }, [data, length]);
  const sum = (list: number[]): number => list.reduce((a, b) => a + b, 0);
  const ended = sum(series.all);
  if (ended === 0) return <Empty title={strings.overview.noData} />;
  const good = sum(series.good);
  const unpriced = data.steps.reduce((n, s) => n + s.unpriced, 0);
  const sums = [
    { label: strings.overview.tokens, values: series.tokens, colour: "--accent", format: count },
    { label: strings.overview.cost, values: series.cost, colour: "--warn", format: dollars },
  ].filter(({ values }) => sum(values) > 0);
  return (
    <>
      <Figures
        of={[
          [strings.overview.runsEnded, count(ended)],
          [strings.overview.succeeded, `${Math.round((good / ended) * 100)} %`],
          [strings.overview.tokens, count(sum(series.tokens))],
          [
            strings.overview.cost,
            unpriced === ended ? strings.overview.noPrice : dollars(sum(series.cost)),
            unpriced > 0 ? strings.overview.unpriced(unpriced) : undefined,
          ],
        ]}
      />
      <Suspense fallback={<Loading />}>
        <Chart
          title={strings.overview.runsEnded}
          at={series.at}
          step={data.step}
          series={[
            { label: strings.overview.runsEnded, values: series.all, colour: "--bad" },
            { label: strings.overview.succeeded, values: series.good, colour: "--good" },
          ]}
          format={count}
        />
        {sums.map(({ label, values, colour, format }) => (
          <Chart
            key={label}
            title={label}
            at={series.at}
            step={data.step}
            series={[{ label, values, colour }]}
            format={format}
          />
        ))}
      </Suspense>
    </>
  );
}
