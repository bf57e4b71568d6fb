// A day in a small project, for the screenshots: a real daemon, the demo agent on this checkout, and copied runs.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository, type Daemon, type Place } from "../e2e/daemon";
import { Template } from "../e2e/past";
import { SESSION } from "./session";

const PAST =
  "fix-flaky-checkout,upgrade-postgres,add-dark-mode,write-release-notes,speed-up-search,remove-dead-flags,rate-limit-login,cache-thumbnails,split-invoice-module,translate-emails".split(
    ",",
  );

/** Starts a daemon with a day of history. */
export async function day(place: Place): Promise<{ daemon: Daemon; login: string; tour: string }> {
  const stream = join(place.folder, "session.jsonl");
  writeFileSync(stream, SESSION.map((line) => `${line}\n`).join(""));
  const say = join(place.folder, "claude");
  writeFileSync(
    say,
    `#!/bin/sh\nwhile IFS= read -r line; do printf '%s\\n' "$line"; sleep 0.2; done < '${stream}'\n` +
      "sed -i 's/query.next)/query.next))/; s/redirect(/redirect(safeTarget(/' src/login.js 2>/dev/null; " +
      'touch "$JRUN_TASK_FOLDER/DONE"\n',
  );
  chmodSync(say, 0o755);
  place.configure(
    `agents:\n  claude: {type: claude, command: [${say}]}\n` +
      "  codex: {type: command, command: [sh, -c, 'echo compiling; sleep 600']}\n" +
      "defaults: {max_concurrent_root_tasks: 2, stop_grace: 1s}\n",
  );
  mkdirSync(join(place.work, "src"));
  writeFileSync(
    join(place.work, "src/login.js"),
    "export function afterLogin(request, response) {\n  response.redirect(request.query.next);\n}\n",
  );
  await place.repository();
  const past = await place.serve();
  await past.task(
    "shop",
    "login",
    "After signing in, `?next=` may lead to another site. Close that, with tests.",
    {
      agent_type: "claude",
      config: { max_restarts: 0 },
    },
  );
  await past.stands("shop", "login", "completed", "idle", "failed");
  await place.job("shop", "fails", "echo '2 tests failed' >&2; exit 1");
  await past.stop();
  const [good, bad] = [new Template(place, "shop", "login"), new Template(place, "shop", "fails")];
  const hour = 3_600_000;
  for (let n = 0; n < 60; n += 1) {
    const at = new Date(Date.now() - 23.5 * hour + (n * 22.9 * hour) / 60 + ((n * 7919) % 40) * 60_000);
    const name = `${PAST[n % PAST.length] ?? ""}${n < PAST.length ? "" : `-${Math.floor(n / PAST.length) + 1}`}`;
    (n % 29 === 4 ? bad : good).copy(n % 4 === 3 ? "website" : "shop", name, at, n);
  }
  bad.remove();
  good.copy("shop", "close-open-redirect", new Date(Date.now() - 4 * 60_000), 99);
  good.remove();
  const daemon = await place.serve();
  const { run_id: tour } = await daemon.task(
    "conductor",
    "tour",
    "Tell me what this source tree consists of: languages, lines, the largest files.",
    {
      cwd: join(repository, "src"),
    },
  );
  await daemon.stands("conductor", "tour", "completed", "idle", "failed");
  await daemon.task("shop", "port-to-node-26", "Port the shop to Node 26", { agent_type: "codex" });
  await daemon.task("website", "new-landing-page", "Build the new landing page", { agent_type: "codex" });
  await daemon.task("website", "check-all-links", "Check all links", {
    agent_type: "codex",
    depends_on: ["new-landing-page"],
  });
  await daemon.task("shop", "measure-start-up", "Measure how long the shop takes to start", {
    agent_type: "codex",
  });
  await daemon.post("/api/projects/shop/tasks/port-to-node-26/messages", {
    type: "PROGRESS",
    body: "312 of 340 tests pass on Node 26.",
  });
  await daemon.post("/api/projects/shop/tasks/port-to-node-26/messages", {
    type: "QUESTION",
    body: "`left-pad` has no release for Node 26. Shall I replace it by `String.padStart`?",
  });
  return { daemon, login: place.lastRun("shop", "close-open-redirect").split("/").pop() ?? "", tour };
}
