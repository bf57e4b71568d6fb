// A line with the colours of its escape sequences. All other escape sequences are dropped.

import "../styles/ansi.css";
import Anser from "anser";
import { memo } from "react";

/** Escape sequences other than colours: cursor movements, titles, links, and controls. */
/* eslint-disable no-control-regex -- control characters are what this file is about */
const OTHER =
  /\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-ln-~]|[()][0-9A-B]|[PX^_][^\x1b]*(?:\x1b\\)?|[^[\]])/g;
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;

/** Returns the final text of a line, after the last carriage return. */
export function visible(text: string): string {
  let line = text.replace(/\r+$/, "");
  const over = line.lastIndexOf("\r");
  if (over >= 0) line = line.slice(over + 1);
  return line.replace(OTHER, "").replace(CONTROLS, "");
}

/** Returns a line without escape sequences. */
export function plain(text: string): string {
  return visible(text).replace(/\x1b(?:\[[0-9;:]*m)?/g, "");
}

function classes(chunk: Anser.AnserJsonEntry): string {
  const names: string[] = [];
  if (chunk.fg) names.push(`fg-${chunk.fg.replace("ansi-", "")}`);
  if (chunk.bg) names.push(`bg-${chunk.bg.replace("ansi-", "")}`);
  for (const decoration of chunk.decorations) names.push(`deco-${decoration}`);
  return names.join(" ");
}

/** Colours beyond the sixteen have no class and are set as styles. */
function colour(chunk: Anser.AnserJsonEntry): React.CSSProperties | undefined {
  const style: React.CSSProperties = {};
  const rgb = (truecolor: string): string => `rgb(${truecolor})`;
  if (chunk.fg === "ansi-truecolor" && chunk.fg_truecolor) style.color = rgb(chunk.fg_truecolor);
  if (chunk.bg === "ansi-truecolor" && chunk.bg_truecolor) style.backgroundColor = rgb(chunk.bg_truecolor);
  const palette = (name: string): string | undefined => {
    const n = Number(/^ansi-palette-(\d+)$/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(n)) return undefined;
    if (n >= 232)
      return `rgb(${Array(3)
        .fill(8 + (n - 232) * 10)
        .join()})`;
    if (n < 16) return undefined;
    const level = (v: number): number => (v === 0 ? 0 : 55 + v * 40);
    const c = n - 16;
    return rgb([Math.floor(c / 36), Math.floor(c / 6) % 6, c % 6].map(level).join());
  };
  const fg = chunk.fg ? palette(chunk.fg) : undefined;
  const bg = chunk.bg ? palette(chunk.bg) : undefined;
  if (fg) style.color = fg;
  if (bg) style.backgroundColor = bg;
  return Object.keys(style).length > 0 ? style : undefined;
}

function marked(text: string, find: RegExp | null) {
  if (find === null) return text;
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(find)) {
    if (match[0] === "") break;
    parts.push(text.slice(from, match.index), <mark key={match.index}>{match[0]}</mark>);
    from = match.index + match[0].length;
  }
  return from === 0 ? text : [...parts, text.slice(from)];
}

/** A line with the search matches marked. */
export const Ansi = memo(function Ansi({ text, find }: { text: string; find: RegExp | null }) {
  const shown = visible(text);
  if (!shown.includes("\x1b")) return <>{marked(shown, find)}</>;
  const chunks = Anser.ansiToJson(shown, { use_classes: true, remove_empty: true, json: true });
  return chunks.map((chunk, n) => {
    const name = classes(chunk);
    const content = marked(chunk.content.replace(/\x1b/g, ""), find);
    return name === "" ? (
      <span key={n}>{content}</span>
    ) : (
      <span key={n} className={name} style={colour(chunk)}>
        {content}
      </span>
    );
  });
});
