// 8: with a key.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "./daemon";
import { accessible, expect, fits, live, test } from "./test";

const KEY = "a-key-of-the-tests-0123456789";

test("asks for a key, takes a good one only, and keeps it for the tab", async ({ page, place, context }) => {
  place.configure(`api: {api_key: ${KEY}}\n`);
  await place.job("p", "secret", "true");
  place.variables = {};
  const daemon = await place.serve();
  await page.goto(daemon.page("/p/p/t/secret"));
  await expect(page.getByRole("heading", { name: "A key is required" })).toBeVisible();
  await accessible(page);
  await fits(page);
  await page.getByLabel("API key").fill("wrong");
  await page.getByRole("button", { name: "Open" }).click();
  await expect(page.getByRole("alert")).toContainText("does not know this key");
  await page.getByLabel("API key").fill(KEY);
  await page.getByRole("button", { name: "Open" }).click();
  await expect(page.locator(".why")).toContainText("completed");
  await live(page);
  await page.reload();
  await expect(page.locator(".why")).toContainText("completed");

  // A download is a plain link with a ticket that works once.
  const run = place.lastRun("p", "secret").split("/").pop() ?? "";
  await page.goto(daemon.page(`/p/p/t/secret/r/${run}/record`));
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  expect(await (await saved).failure()).toBeNull();

  expect(await context.cookies()).toEqual([]);
  const other = await context.newPage();
  await other.goto(daemon.page());
  await expect(other.getByRole("heading", { name: "A key is required" })).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "A key is required" })).toBeVisible();
});

test("`run-agent ui` needs none", async ({ page, place }) => {
  place.configure(`api: {api_key: ${KEY}}\n`);
  await place.job("p", "secret", "true");
  const daemon = await place.serve();
  const printed = await place.run("ui", "--print", "--server", daemon.url);
  const address = printed.stdout.trim();
  expect(address).toContain("/ui/#code=");
  await page.goto(address);
  await live(page);
  expect(page.url()).not.toContain("code=");
  await page.reload();
  await live(page);

  // The code works once.
  const again = await page.context().newPage();
  await again.goto(address);
  await expect(again.getByRole("alert")).toContainText("already used");
});

test("nothing is destroyed from the page: it shows the command instead", async ({ page, place }) => {
  await place.job("p", "t", "true");
  const daemon = await place.serve();
  await page.goto(daemon.page("/p/p/t/t"));
  await expect(page.getByText("run-agent task delete p/t")).toBeVisible();
  await page.goto(daemon.page("/p/p"));
  await expect(page.getByText("run-agent gc --project p --dry-run")).toBeVisible();
  await expect(page.getByRole("button", { name: /delete/i })).toHaveCount(0);
  const status = await page.evaluate(
    async () => (await fetch("/api/projects/p/tasks/t", { method: "DELETE" })).status,
  );
  expect(status).toBe(403);
});

test("a key that may only read is offered nothing else", async ({ page, place, phone }) => {
  place.configure(`api: {api_key: ${KEY}, keys: [{name: looks, key: only-for-looking-0123456789}]}\n`);
  await place.job("p", "t", '"$RUN_AGENT" bus post --type QUESTION --body "Shall I?"');
  place.start(["job", "--project", "p", "--task", "busy", "--prompt", "p", "--", "sleep", "600"]);
  await until(
    "the run",
    () =>
      existsSync(join(place.root, "p/busy/runs")) && readdirSync(join(place.root, "p/busy/runs")).length > 0,
  );
  const daemon = await place.serve();
  await page.goto(daemon.page());
  await page.getByLabel("API key").fill("only-for-looking-0123456789");
  await page.getByRole("button", { name: "Open" }).click();
  await live(page);
  await expect(page.getByText("Read only")).toBeVisible();
  await expect(page.getByText("Shall I?")).toBeVisible();
  const offered = page
    // A run has a view of this name.
    .locator("a:not(.views a), button")
    .filter({ hasText: /^(New task|New project|Answer|Stop|Resume|Send)$/ });
  const run = place.lastRun("p", "busy").split("/").pop() ?? "";
  const [busy, told] = ["/p/p/t/busy", "/p/p/t/t"];
  for (const at of [
    ...["/", "/tasks", "/p/p", told, "/p/p/messages", `${told}/messages`],
    ...[busy, `${busy}/log`, `${busy}/r/${run}`, `${busy}/r/${run}/stdout`],
  ]) {
    await page.goto(daemon.page(at));
    await live(page);
    await expect(page.getByText("Read only")).toBeVisible();
    if (at.startsWith(busy)) await expect(page.locator(".word").getByText("Running")).toBeVisible();
    await expect(page.locator(".loading")).toHaveCount(0);
    if (at.endsWith("messages")) await expect(page.locator(".message-question")).toBeVisible();
    await expect(offered).toHaveCount(0);
    await expect(page.getByRole("button", { name: "Reply" })).toHaveCount(0);
    await expect(page.getByLabel("Write a message")).toHaveCount(0);
    await fits(page);
  }
  for (const place of ["/new", "/new-project"]) {
    await page.goto(daemon.page(place));
    await expect(page.getByText("This key allows reading only.")).toBeVisible();
    await expect(page.locator("form")).toHaveCount(0);
    await accessible(page);
  }
  if (!phone) {
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("option", { name: "Overview" })).toBeVisible();
    await expect(page.getByRole("option", { name: "New task" })).toHaveCount(0);
  }
});
