// 7: one stream and no other requests while nothing happens; the stream survives every interruption.

import { appendFileSync } from "node:fs";
import { Daemon } from "./daemon";
import { expect, live, test } from "./test";

test("an idle page asks for nothing, and what happens is shown by the one stream", async ({
  page,
  place,
}) => {
  await place.job("p", "t", "true");
  const daemon = await place.serve();
  const wire = await page.context().newCDPSession(page);
  await wire.send("Network.enable");
  let received = 0;
  wire.on("Network.dataReceived", (data) => (received += data.dataLength));
  await page.goto(daemon.page());
  await live(page);
  await expect(page.locator(".card").first()).toBeVisible();
  await page.waitForTimeout(3000);
  const asked: string[] = [];
  page.on("request", (r) => asked.push(r.url()));
  // Longer than the daemon's keep-alive of 15 s: only that is on the wire.
  const before = received;
  await page.waitForTimeout(20_000);
  expect(asked).toEqual([]);
  expect(received - before).toBeGreaterThan(0);
  expect(received - before).toBeLessThan(64);
  await daemon.task("p", "fresh");
  await expect(page.getByText("fresh").first()).toBeVisible();
  expect(asked.filter((u) => u.includes("/api/v1/tasks") || u.includes("/stream/all"))).toEqual([]);
});

test("the page of a task at work asks for nothing either, while its agent is silent", async ({
  page,
  place,
}) => {
  place.configure("agents: {slow: {type: command, command: [sh, -c, 'echo at it; sleep 300']}}\n");
  const daemon = await place.serve();
  const { run_id: run } = await daemon.task("p", "slow", "s", { agent_type: "slow" });
  for (const place of ["/p/p/t/slow", `/p/p/t/slow/r/${run}/stdout`, "/p/p/messages"]) {
    await page.goto(daemon.page(place));
    await live(page);
    await page.waitForTimeout(3000);
    const asked: string[] = [];
    const listen = (r: { url: () => string }): number => asked.push(r.url());
    page.on("request", listen);
    await page.waitForTimeout(4000);
    page.off("request", listen);
    expect(asked).toEqual([]);
  }
});

test("goes on after a restart of the daemon, and says so meanwhile", async ({ page, place }) => {
  await place.job("p", "before", "true");
  const first = await place.serve();
  await page.goto(first.page("/p/p"));
  await live(page);
  await first.stop("SIGKILL");
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await expect(page.locator(".connection")).toHaveText(/Not connected|Connecting/);
  // Retries do not change the age of the shown data.
  await expect(page.getByRole("alert")).toContainText("6 s old");
  await place.job("p", "meanwhile", "true");
  const second = await Daemon.start(place, ["--port", first.port]);
  await live(page);
  await expect(page.getByRole("alert")).toHaveCount(0);
  await expect(page.getByRole("main").getByText("meanwhile", { exact: true })).toBeVisible();
  await second.task("p", "after");
  await expect(page.getByRole("main").getByText("after", { exact: true })).toBeVisible();
});

test("a log goes on where it was, across daemons, with nothing lost and nothing twice", async ({
  page,
  place,
}) => {
  place.configure(
    "agents: {counts: {type: command, command: [sh, -c, 'n=0; while [ $n -lt 200 ]; do n=$((n+1)); echo tick $n; sleep 0.05; done']}}\n",
  );
  const first = await place.serve();
  const { run_id: run } = await first.task("p", "t", "count", {
    agent_type: "counts",
    config: { max_restarts: 0 },
  });
  await page.goto(first.page(`/p/p/t/t/r/${run}/stdout`));
  await expect(
    page
      .locator(".log-line")
      .filter({ hasText: /tick \d+/ })
      .first(),
  ).toBeVisible();
  await first.stop("SIGKILL");
  await new Promise((r) => setTimeout(r, 1000));
  await Daemon.start(place, ["--port", first.port]);
  await expect(page.locator(".log-line").last()).toContainText("tick 200", { timeout: 60_000 });
  await expect(page.locator(".log-number").first()).toBeVisible();
  const numbers = await page
    .locator(".log-line")
    .evaluateAll((lines) =>
      lines.map((l) => [
        l.querySelector(".log-number")?.textContent,
        l.querySelector(".log-text")?.textContent?.trim(),
      ]),
    );
  for (const [number, text] of numbers) expect(text).toBe(`tick ${number}`);
});

test("wakes up after a sleep", async ({ page, place, context }) => {
  await place.job("p", "t", "true");
  const daemon = await place.serve();
  await page.goto(daemon.page("/p/p"));
  await live(page);
  await context.setOffline(true);
  await page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await expect(page.locator(".connection")).not.toHaveText("Live");
  await daemon.task("p", "overnight");
  await context.setOffline(false);
  await live(page);
  await expect(page.getByRole("main").getByText("overnight")).toBeVisible();
  appendFileSync(`${place.folder}/done`, "");
});
