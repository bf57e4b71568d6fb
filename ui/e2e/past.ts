// Creates a history for a root: real tasks, copied under other names and earlier times.

import { once } from "node:events";
import { createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Place } from "./daemon";

/** Files of a live process, which are not copied. */
const LIVING = /\.lock$|^claim\.json$/;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?=\.\d+Z)/g;
const RUN = /\b\d{8}-\d{6}(\d{4})-(\d+)-(\d{4})\b/g;

const stamp = (at: Date): string => at.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");

/** The files of an ended task. */
export class Template {
  private readonly files: [string, string][];
  private readonly began: number;

  constructor(
    private readonly place: Place,
    private readonly project: string,
    private readonly task: string,
  ) {
    this.files = read(this.folder(project, task));
    this.began = Math.min(
      ...this.files.flatMap(([, text]) => (text.match(TIME) ?? []).map((t) => Date.parse(`${t}Z`))),
    );
  }

  private folder(project: string, task: string): string {
    return join(this.place.root, project, task);
  }

  /** Writes a copy with another start time; `n` makes the names of its runs unique. */
  copy(project: string, task: string, at: Date, n: number): void {
    const by = at.getTime() - this.began;
    const moved = (time: string): string => new Date(Date.parse(`${time}Z`) + by).toISOString().slice(0, 19);
    const told = (text: string): string =>
      text
        .replaceAll(this.folder(this.project, this.task), this.folder(project, task))
        .replace(TIME, moved)
        .replace(RUN, (_, part: string, __, count: string) => `${stamp(at)}${part}-${1 + n}-${count}`)
        .replace(/"task_id":"[^"]*"|\btask_id: .*/g, (field) => field.replace(this.task, task))
        .replace(/"project_id":"[^"]*"|\bproject_id: .*/g, (field) => field.replace(this.project, project));
    for (const [file, text] of this.files) {
      const to = told(file);
      mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
      writeFileSync(to, told(text), { mode: 0o600 });
    }
  }

  /** Deletes the original task. */
  remove(): void {
    rmSync(this.folder(this.project, this.task), { recursive: true });
  }
}

function read(dir: string): [string, string][] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return read(path);
    return LIVING.test(entry.name) ? [] : [[path, readFileSync(path, "utf8")]];
  });
}

/** Writes a number of tasks over the last day, the newest one last. */
export async function many(place: Place, project: string, tasks: number): Promise<void> {
  await place.job(project, "template", "echo one line");
  const template = new Template(place, project, "template");
  const day = 86_400_000;
  for (let n = 0; n < tasks; n += 1) {
    template.copy(
      project,
      `task-${String(n).padStart(5, "0")}`,
      new Date(Date.now() - day + (n * day) / tasks),
      n,
    );
  }
  template.remove();
}

/** Creates a run with 100 MB of output, with a line in the middle and one at the end; returns its id. */
export async function printedMuch(
  place: Place,
  task: { project: string; task: string },
  middle: string,
  end: string,
): Promise<string> {
  await place.job(task.project, task.task, "true");
  const run = place.lastRun(task.project, task.task);
  const out = createWriteStream(join(run, "agent-stdout.txt"));
  const line = (n: number): string => `${String(n).padStart(6, "0")} ${"x".repeat(90)}\n`;
  const block = Array.from({ length: 1000 }, (_, n) => line(n)).join("");
  for (let n = 0; n < 1020; n += 1) {
    if (!out.write(n === 500 ? `${middle}\n${block}` : block)) await once(out, "drain");
  }
  out.end(`${end}\n`);
  await once(out, "close");
  return run.split("/").pop() ?? "";
}
