// Times, sizes and names as people read them.

/** Formats a duration as "4 s", "12 min", "3 h" or "5 d", rounded down. */
export function ago(milliseconds: number): string {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** Formats an exact duration as "0.4 s", "1:05" or "2:03:04". */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** "512 B", "1.4 MB": decimal units. */
export function bytes(size: number): string {
  let [value, unit] = [size, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

/** "950", "12.3 k", "4.5 M". */
export function count(value: number): string {
  if (value < 1000) return String(Math.round(value));
  if (value < 999_950) return `${(value / 1000).toFixed(value < 99_950 ? 1 : 0)} k`;
  return `${(value / 1_000_000).toFixed(1)} M`;
}

/** "$0.0042", "$1.20". */
export function dollars(value: number): string {
  if (value > 0 && value < 0.01) return `$${value.toFixed(4)}`;
  return `$${value.toFixed(2)}`;
}

// Always a 24-hour clock, so that times in a column have the same width.
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const FULL = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
  hourCycle: "h23",
});

/** Formats a time of today without its date, others with it. */
export function moment(iso: string, now: number): string {
  const at = new Date(iso);
  const clock = CLOCK.format(at);
  return new Date(now).toDateString() === at.toDateString() ? clock : `${DAY.format(at)}, ${clock}`;
}

/** Formats times along an axis: each as the hour, or as the day where it changes. */
export function ticks(seconds: number[]): string[] {
  const wide = (seconds[1] ?? 0) - (seconds[0] ?? 0) >= 86_400;
  return seconds.map((s, n) => {
    const at = new Date(s * 1000);
    const before = seconds[n - 1];
    const sameDay = before === undefined || new Date(before * 1000).toDateString() === at.toDateString();
    return wide || !sameDay ? DAY.format(at) : HOUR.format(at);
  });
}

/** Date and time in full. */
export function fullTime(iso: string): string {
  return FULL.format(new Date(iso));
}

/** Returns the readable part of a task's name: `task-20261122-055142-fix-it` becomes `fix-it`. */
export function shortTask(id: string): string {
  return /^task-\d{8}-\d{6}-(.+)$/.exec(id)?.[1] ?? id;
}

/** Returns the creation time of a run in local time, from its name, which has it in UTC. */
export function shortRun(id: string): string {
  const at = /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})/.exec(id);
  if (at === null) return id;
  const [year = 0, month = 0, ...rest] = at.slice(1).map(Number);
  const date = new Date(Date.UTC(year, month - 1, ...rest));
  return `${DAY.format(date)}, ${CLOCK.format(date)}`;
}

/** Derives the name of a task from its prompt, as the command line does. */
export function taskName(prompt: string, now: Date): string {
  const words = prompt.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  let slug = "";
  for (const word of words) {
    if (slug.length + word.length > 40) break;
    slug += (slug && "-") + word;
  }
  const stamp = now.toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
  return `task-${stamp}-${slug || "untitled"}`;
}
