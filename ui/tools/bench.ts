// Measures the page; scripts/ui-bench prints the results.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "@playwright/test";
import type { Daemon } from "../e2e/daemon";
import { many, printedMuch } from "../e2e/past";
import { expect, fromDist, live, test } from "../e2e/test";

interface Row {
  what: string;
  value: number;
  unit: string;
  /** The direction of the limit: at most, or at least. */
  aim?: { most: number } | { least: number };
}

const rows: Row[] = [];
const row = (what: string, value: number, unit: string, aim?: Row["aim"]): void => {
  rows.push({ what, value: Math.round(value * 10) / 10, unit, ...(aim ? { aim } : {}) });
};
const median = (list: number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
const kept = ({ value, aim }: Row): boolean =>
  aim === undefined || ("most" in aim ? value <= aim.most : value >= aim.least);

test.afterAll(() => {
  const lines = rows.map((r) => {
    const aim =
      r.aim === undefined ? "" : "most" in r.aim ? `at most ${r.aim.most}` : `at least ${r.aim.least}`;
    return `${r.what.padEnd(58)}${String(r.value).padStart(9)} ${r.unit.padEnd(9)}${aim.padEnd(15)}${kept(r) ? "" : "MISSED"}`;
  });
  process.stdout.write(`\n${lines.join("\n")}\n`);
  const file = process.env["UI_BENCH"];
  if (file !== undefined) writeFileSync(file, rows.map((r) => `${JSON.stringify(r)}\n`).join(""));
  expect(rows.filter((r) => !kept(r)).map((r) => r.what)).toEqual([]);
});

/** Opens the overview with an empty cache. Returns the transferred bytes and the time of the first content. */
async function firstVisit(browser: Browser, daemon: Daemon) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  await wire.send("Network.enable");
  const files = new Map<string, string>();
  const sizes = new Map<string, number>();
  wire.on("Network.responseReceived", (e) => files.set(e.requestId, e.response.url));
  // Compressed sizes, without response headers.
  wire.on("Network.dataReceived", (e) => {
    const url = files.get(e.requestId);
    if (url?.includes("/ui/")) sizes.set(url, (sizes.get(url) ?? 0) + e.encodedDataLength);
  });
  const began = Date.now();
  await page.goto(daemon.page());
  await expect(page.locator(".tree-foot")).toContainText("1,000 tasks");
  const tree = Date.now() - began;
  await live(page);
  await page.waitForTimeout(2000);
  const paint = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity,
  );
  const sum = (chosen: (url: string) => boolean): number =>
    [...sizes].reduce((all, [url, size]) => all + (chosen(url) ? size : 0), 0) / 1000;
  const result = {
    all: sum(() => true),
    base: sum((url) => !url.includes("Chart-")),
    paint,
    tree,
    files: sizes.size,
  };
  await context.close();
  return result;
}

/** Counts frames for some milliseconds. Returns the frames per second and the longest gap. */
function frames(page: Page, time: number): Promise<{ rate: number; longest: number }> {
  return page.evaluate(async (time) => {
    const begin = performance.now();
    let [last, count, longest] = [begin, 0, 0];
    while (last - begin < time) {
      const now = await new Promise<number>((r) => requestAnimationFrame(r));
      longest = Math.max(longest, now - last);
      last = now;
      count += 1;
    }
    return { rate: (count * 1000) / (last - begin), longest };
  }, time);
}

test("first visit, with 1,000 tasks", async ({ browser, place }) => {
  await many(place, "p", 1000);
  const daemon = await place.serve();
  const visits = [];
  for (let n = 0; n < 5; n += 1) visits.push(await firstVisit(browser, daemon));
  row("first load, gzipped", median(visits.map((v) => v.base)), "kB", { most: 120 });
  row("  with the charts, which come when the page stands", median(visits.map((v) => v.all)), "kB");
  row("first contentful paint, 1,000 tasks", median(visits.map((v) => v.paint)), "ms", { most: 1000 });
  row("  the whole tree is there", median(visits.map((v) => v.tree)), "ms");
});

test("scrolling a tree of 1,000 tasks", async ({ browser, place }) => {
  await many(place, "p", 1000);
  const daemon = await place.serve();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await fromDist(context);
  const page = await context.newPage();
  await page.goto(daemon.page());
  await expect(page.locator(".tree-foot")).toContainText("1,000 tasks");
  await page.mouse.move(150, 400);
  let going = true;
  const wheel = (async () => {
    for (let n = 0; going; n += 1) await page.mouse.wheel(0, n % 120 < 60 ? 400 : -400);
  })();
  const { rate, longest } = await frames(page, 4000);
  going = false;
  await wheel;
  row("scrolling 1,000 tasks", rate, "frames/s", { least: 30 });
  row("  longest time without a frame", longest, "ms");
});

test("a log of 10,000 lines a second", async ({ browser, place }) => {
  const program = join(place.folder, "talk.mjs");
  writeFileSync(
    program,
    "const begin = Date.now(); let n = 0;\n" +
      "const timer = setInterval(() => { let out = '';\n" +
      "  const due = Math.min(200_000, (Date.now() - begin) * 10);\n" +
      "  while (n < due) out += `line ${n++} \\u001b[32mok\\u001b[0m some words that a program prints while it is at work\\n`;\n" +
      "  process.stdout.write(out); if (n >= 200_000) clearInterval(timer); }, 10);\n",
  );
  place.configure(`agents: {talks: {type: command, command: [${process.execPath}, ${program}]}}\n`);
  const daemon = await place.serve();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await fromDist(context);
  const page = await context.newPage();
  const { run_id: run } = await daemon.task("p", "t", "talk", {
    agent_type: "talks",
    config: { max_restarts: 0 },
  });
  await page.goto(daemon.page(`/p/p/t/t/r/${run}/stdout`));
  await expect(page.locator(".log-line").first()).toBeVisible();
  const count = async (): Promise<number> =>
    Number((await page.locator(".log-line .log-number").last().textContent())?.replace(/\D/g, ""));
  const [first, began] = [await count(), Date.now()];
  const { rate, longest } = await frames(page, 8000);
  const shown = ((await count()) - first) / ((Date.now() - began) / 1000);
  row("following 10,000 lines a second", rate, "frames/s", { least: 30 });
  row("  longest time without a frame", longest, "ms");
  row("  lines that came into view", shown, "lines/s", { least: 9000 });
});

test("a log of 100 MB", async ({ browser, place }) => {
  const run = await printedMuch(
    place,
    { project: "p", task: "big" },
    "a line in the middle",
    "the last line",
  );
  const daemon = await place.serve();
  const times: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    const began = Date.now();
    await page.goto(daemon.page(`/p/p/t/big/r/${run}/stdout`));
    await expect(page.locator(".log-line").filter({ hasText: "the last line" })).toBeVisible();
    times.push(Date.now() - began);
    await page.context().close();
  }
  row("opening a log of 100 MB at its end", median(times), "ms", { most: 2000 });
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await fromDist(page.context());
  const began = Date.now();
  await page.goto(daemon.page("/p/p/t/big/log"));
  await expect(page.locator(".log-line").filter({ hasText: "the last line" })).toBeVisible();
  row("opening the log of its task", Date.now() - began, "ms", { most: 2000 });
});
