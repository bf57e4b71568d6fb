// Bars over time. The same figures stand beside it as text, so the chart is decoration.

import "../styles/chart.css";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { moment, ticks } from "../lib/format";
import { strings } from "../strings";

interface Series {
  label: string;
  values: number[];
  /** Name of a CSS colour variable. */
  colour: string;
}

interface Props {
  title: string;
  /** Start of each step, in seconds. */
  at: number[];
  step: number;
  series: Series[];
  format: (value: number) => string;
}

export default function Chart({ title, at, step, series, format }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const host = box.current;
    if (host === null) return;
    const draw = (): (() => void) => {
      // A canvas cannot use CSS variables, so an element resolves each one first.
      const colour = (name: string): string => {
        host.style.color = `var(${name})`;
        return getComputedStyle(host).color;
      };
      const axis = {
        stroke: colour("--dim"),
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { show: false },
        font: "11px system-ui, sans-serif",
      };
      const bars = uPlot.paths.bars?.({ size: [0.75, 40], radius: 0.15, align: 1 });
      const plot = new uPlot(
        {
          width: host.clientWidth,
          height: 130,
          legend: { show: false },
          cursor: { drag: { x: false, y: false }, points: { show: false } },
          padding: [8, 16, 0, 0],
          scales: {
            x: { time: true, range: () => [at[0] ?? 0, (at[at.length - 1] ?? 0) + step] },
            y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
          },
          axes: [
            { ...axis, grid: { show: false }, space: 60, values: (_, at) => ticks(at) },
            { ...axis, size: 52, values: (_, ticks) => ticks.map(format) },
          ],
          series: [
            {},
            ...series.map((s) => ({
              label: s.label,
              fill: colour(s.colour),
              stroke: colour(s.colour),
              width: 0,
              points: { show: false },
              ...(bars ? { paths: bars } : {}),
            })),
          ],
          hooks: {
            setCursor: [
              (u) => {
                const n = u.cursor.idx ?? null;
                const time = n === null ? undefined : at[n];
                host.dataset["tip"] =
                  n === null || time === undefined
                    ? ""
                    : `${moment(new Date(time * 1000).toISOString(), Date.now())}: ${series.map((s) => `${format(s.values[n] ?? 0)} ${s.label}`).join(", ")}`;
              },
            ],
          },
        },
        [at, ...series.map((s) => s.values)],
        host,
      );
      const resize = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: 130 }));
      resize.observe(host);
      return () => {
        resize.disconnect();
        plot.destroy();
      };
    };
    let destroy = draw();
    const again = (): void => {
      destroy();
      destroy = draw();
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", again);
    window.addEventListener("conductor:theme", again);
    return () => {
      scheme.removeEventListener("change", again);
      window.removeEventListener("conductor:theme", again);
      destroy();
    };
  }, [at, step, series, format]);
  const day = (n: number): string => moment(new Date((at[n] ?? 0) * 1000).toISOString(), Date.now());
  return (
    <figure className="chart">
      <figcaption>{title}</figcaption>
      <div
        ref={box}
        className="chart-box"
        role="img"
        aria-label={strings.overview.chartOf(title, day(0), day(at.length - 1))}
      />
    </figure>
  );
}
