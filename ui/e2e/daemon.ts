// A real daemon with a root of its own, and the actions of a test outside of the page.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const target = process.env["CARGO_TARGET_DIR"] ?? join(repository, "target");
export const program = process.env["RUN_AGENT"] ?? join(target, "debug/run-agent");
const PATIENCE = 60_000;

export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** A sandbox: a folder with home, root and working folder, and `run-agent`. */
export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), "conductor-ui-"));
  readonly root = join(this.folder, "root");
  readonly work = join(this.folder, "work");
  readonly home = join(this.folder, "home");
  readonly daemons: Daemon[] = [];
  private readonly children: ChildProcess[] = [];
  path = process.env["PATH"] ?? "";
  variables: Record<string, string> = {};

  constructor(config = "") {
    for (const dir of [
      this.root,
      this.work,
      this.home,
      join(this.home, ".config/conductor"),
      join(this.folder, "tmp"),
    ]) {
      mkdirSync(dir, { recursive: true });
    }
    this.configure(config);
    writeFileSync(join(this.work, "README.md"), "# A project\n\nWith a file.\n");
  }

  configure(config: string): void {
    writeFileSync(join(this.home, ".config/conductor/config.yaml"), config);
  }

  environment(): Record<string, string> {
    return {
      HOME: this.home,
      PATH: this.path,
      LANG: "C.UTF-8",
      TMPDIR: join(this.folder, "tmp"),
      CONDUCTOR_ROOT: this.root,
      RUN_AGENT: program,
      GIT_CONFIG_NOSYSTEM: "1",
      ...this.variables,
    };
  }

  start(args: string[]): ChildProcess {
    const child = spawn(program, args, {
      cwd: this.work,
      env: this.environment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.children.push(child);
    return child;
  }

  /** Ends a process together with the sandbox. */
  adopt(child: ChildProcess): void {
    this.children.push(child);
  }

  /** Runs `run-agent ARGS` to its end. */
  async run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = this.start(args);
    let [stdout, stderr] = ["", ""];
    child.stdout?.on("data", (d: Buffer) => (stdout += d.toString()));
    child.stderr?.on("data", (d: Buffer) => (stderr += d.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    return { code: code ?? -1, stdout, stderr };
  }

  /** Runs a job to its end, with a shell script as its agent. */
  job(project: string, task: string, script: string) {
    return this.run(
      "job",
      "--project",
      project,
      "--task",
      task,
      "--prompt",
      `the prompt of ${task}`,
      "--",
      "sh",
      "-c",
      script,
    );
  }

  serve(...flags: string[]): Promise<Daemon> {
    return Daemon.start(this, flags);
  }

  /** Returns the folder of a task's last run. */
  lastRun(project: string, task: string): string {
    const runs = join(this.root, project, task, "runs");
    const last = readdirSync(runs)
      .filter((n) => /^\d/.test(n))
      .sort()
      .pop();
    if (last === undefined) throw new Error(`${task} has no run`);
    return join(runs, last);
  }

  /** Makes the working folder a git repository. */
  async repository(): Promise<void> {
    const git = async (...args: string[]): Promise<void> => {
      const child = spawn("git", args, { cwd: this.work, env: this.environment(), stdio: "ignore" });
      await once(child, "close");
    };
    await git("init", "-q", "-b", "main");
    await git("add", "-A");
    await git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first");
  }

  /** Returns true if a process belongs to this sandbox by its working folder, environment or home. */
  private owns(pid: string): boolean {
    try {
      const of = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
      const started = of("cmdline") + of("environ") + readlinkSync(`/proc/${pid}/cwd`);
      return started.includes(this.folder);
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    for (const daemon of this.daemons) await daemon.stop();
    for (const child of this.children)
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    // Agents outlive their daemon: the remaining ones are ended by their ids.
    for (const pid of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
      if (this.owns(pid)) process.kill(Number(pid), "SIGKILL");
    }
    // A shim may still be writing.
    await until("the folder to go", () => {
      try {
        rmSync(this.folder, { recursive: true, force: true });
        return true;
      } catch {
        return false;
      }
    });
  }
}

export class Daemon {
  private constructor(
    readonly place: Place,
    readonly child: ChildProcess,
    readonly url: string,
    readonly flags: string[],
  ) {}

  static async start(place: Place, flags: string[]): Promise<Daemon> {
    const port = flags.includes("--port") ? [] : ["--port", "0"];
    const child = place.start(["serve", ...port, ...flags]);
    child.stderr?.on("data", (d: Buffer) => appendFileSync(join(place.folder, "daemon.log"), d));
    if (child.stdout === null) throw new Error("no stdout");
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, "line")) as [string];
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url === undefined) throw new Error(`no address: ${line}`);
    const daemon = new Daemon(place, child, url, flags);
    place.daemons.push(daemon);
    await until("the daemon", async () => (await fetch(`${url}/api/v1/health`).catch(() => null))?.ok);
    return daemon;
  }

  get port(): string {
    return new URL(this.url).port;
  }

  page(path = "/"): string {
    return `${this.url}/ui${path}`;
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  task(project: string, task: string, prompt = "What is here?", more: Record<string, unknown> = {}) {
    return this.post<{ run_id: string }>("/api/v1/tasks", {
      project_id: project,
      task_id: task,
      agent_type: "demo",
      prompt,
      cwd: this.place.work,
      ...more,
    });
  }

  /** Waits until a task has one of these statuses. */
  stands(project: string, task: string, ...words: string[]) {
    return until(`${task} to be ${words.join(" or ")}`, async () => {
      const known = await this.get<{ status: string }>(`/api/projects/${project}/tasks/${task}`).catch(
        () => null,
      );
      return known !== null && words.includes(known.status) ? known : null;
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, "close");
    this.child.kill(signal);
    await closed;
  }
}

/** An agent that prints a captured stream of a real one. */
export function captured(
  place: Place,
  agent: "claude" | "codex" | "gemini" | "opencode",
  stream: string,
): string {
  const file = join(repository, "fixtures/agents", agent, `${stream}.jsonl`);
  if (!existsSync(file)) throw new Error(`${file} is not there`);
  const copy = join(place.folder, `${agent}-${stream}.jsonl`);
  cpSync(file, copy);
  const script = join(place.folder, `say-${agent}-${stream}`);
  writeFileSync(script, `#!/bin/sh\ncat '${copy}'\n`);
  chmodSync(script, 0o755);
  return `${agent}-${stream}: {type: ${agent}, command: [${script}]}`;
}

/** Sets up Codex, as `need_agents` installs it, with the scripted model; false if it is not installed. */
export async function withCodex(place: Place): Promise<boolean> {
  const bin = join(target, "agents/node_modules/.bin");
  if (!existsSync(join(bin, "codex"))) return false;
  const script = join(repository, "tests/agents/fake_model.py");
  const model = spawn("python3", [script, "--log", join(place.folder, "model.jsonl")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  place.adopt(model);
  const [line] = (await once(model.stdout, "data")) as [Buffer];
  const url = line.toString().trim().replace("listening ", "");
  mkdirSync(join(place.home, ".codex"), { recursive: true });
  writeFileSync(
    join(place.home, ".codex/config.toml"),
    'check_for_update_on_startup = false\nweb_search = "disabled"\n[analytics]\nenabled = false\n[otel]\nexporter = "none"\n' +
      "[model_providers.conductor]\nrequest_max_retries = 0\nstream_max_retries = 0\n",
  );
  place.configure(`agents:\n  codex: {base_url: "${url}/v1", model: gpt-5.5}\ndefaults: {stop_grace: 2s}\n`);
  place.path = `${bin}:${place.path}`;
  place.variables = { CODEX_API_KEY: "dummy", CODEX_HOME: join(place.home, ".codex") };
  return true;
}
