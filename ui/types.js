// Writes src/api/schema.d.ts, the types of the API: made of the document that the daemon serves, which is made of what
// it serves. It is not kept in git; `npm run types` makes it anew, after a `cargo build --bin run-agent`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, stderr, exit } from "node:process";
import { createInterface } from "node:readline";
import openapiTS, { astToString } from "openapi-typescript";

const program =
  env["RUN_AGENT"] ??
  join(env["CARGO_TARGET_DIR"] ?? join(import.meta.dirname, "../target"), "debug/run-agent");
if (!existsSync(program)) {
  stderr.write(`${program} is not there\nhint: cargo build --locked --bin run-agent\n`);
  exit(1);
}
const folder = await mkdtemp(join(tmpdir(), "conductor-types-"));
const daemon = spawn(program, ["serve", "--port", "0", "--root", join(folder, "root")], {
  env: { PATH: env["PATH"] ?? "", HOME: folder },
  stdio: ["ignore", "pipe", "ignore"],
});
const ended = once(daemon, "close");
try {
  const [line] = await once(createInterface({ input: daemon.stdout }), "line");
  const [url] = /http:\/\/\S+/.exec(line) ?? [];
  const types = await openapiTS(new URL(`${url}/openapi.json`), { defaultNonNullable: false });
  await writeFile(join(import.meta.dirname, "src/api/schema.d.ts"), astToString(types));
} finally {
  daemon.kill();
  await ended;
  await rm(folder, { recursive: true });
}
