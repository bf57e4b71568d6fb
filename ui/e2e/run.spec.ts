// 3: one run, from the conversation to the last byte of output.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { captured, withCodex } from "./daemon";
import { printedMuch } from "./past";
import { accessible, expect, fits, test } from "./test";

test("has the conversation as the agent had it, of a captured run and of its replay", async ({
  page,
  place,
}) => {
  place.configure(
    `agents:\n  ${captured(place, "claude", "bash-bypass-sandboxenv")}\n  ${captured(place, "claude", "think")}\n`,
  );
  const daemon = await place.serve();
  await daemon.task("p", "bash", "Write a file", {
    agent_type: "claude-bash-bypass-sandboxenv",
    config: { max_restarts: 0 },
  });
  await daemon.task("p", "think", "Think", { agent_type: "claude-think", config: { max_restarts: 0 } });
  await daemon.stands("p", "bash", "completed", "idle", "failed");
  await daemon.stands("p", "think", "completed", "idle", "failed");
  const replay = await place.run("replay", "p/bash", "--task", "again", "--max-pause", "100ms");
  expect(replay.stderr).toContain("completed");

  for (const task of ["bash", "again"]) {
    const run = place.lastRun("p", task).split("/").pop() ?? "";
    await page.goto(daemon.page(`/p/p/t/${task}/r/${run}`));
    const call = page.locator(".fold").filter({ hasText: "Bash" });
    await expect(call).toContainText("echo hi > made.txt");
    await call.getByRole("button").first().click();
    await expect(call.locator(".long").last()).toContainText("hi");
    await expect(page.locator(".say-assistant")).toContainText("finished");
    await expect(page.getByText("Finished", { exact: true })).toBeVisible();
  }
  await expect(page.locator(".facts")).toContainText("claude-opus-5-5");
  await expect(page.locator(".facts")).toContainText("25.5 k in");
  await fits(page);
  await accessible(page);

  await page.goto(daemon.page("/p/p/t/bash"));
  const usage = page.locator(".card").filter({ has: page.getByRole("heading", { name: "Usage" }) });
  await expect(usage).toContainText("25.5 k");
  await expect(usage).toContainText("$0.10");

  const run = place.lastRun("p", "think").split("/").pop() ?? "";
  await page.goto(daemon.page(`/p/p/t/think/r/${run}`));
  await expect(page.getByText("deep thoughts")).toHaveCount(1);
  await page.getByRole("button", { name: /Reasoning/ }).click();
  await expect(page.locator(".thought")).toContainText("deep thoughts");

  await page.getByRole("link", { name: "Answer", exact: true }).click();
  await expect(page.locator(".file-text")).toContainText("Hello from the fake model.");
  await accessible(page);
  await page.getByRole("link", { name: "Record", exact: true }).click();
  await expect(page.locator(".file-text")).toContainText("status: completed");
  await page.getByRole("link", { name: "Prompt", exact: true }).click();
  await expect(page.locator(".file-text")).toContainText("Think");
});

test("follows what is printed, pauses, searches, and links to a line", async ({ page, place }) => {
  const gate = join(place.folder, "gate");
  place.configure(
    `agents: {talks: {type: command, command: [sh, -c, 'seq 1 2000 | sed "s/^/line /"; printf "\\033[31mred\\033[0m\\n"; echo oops >&2; while [ ! -e ${gate} ]; do sleep 0.1; done; echo the end']}}\n`,
  );
  const daemon = await place.serve();
  const { run_id: run } = await daemon.task("p", "talks", "talk", {
    agent_type: "talks",
    config: { max_restarts: 0 },
  });
  await page.goto(daemon.page(`/p/p/t/talks/r/${run}/stdout`));
  await expect(page.locator(".log-line").filter({ hasText: "red" })).toBeVisible();
  await expect(page.locator(".fg-red")).toHaveText("red");
  await accessible(page);
  await fits(page);

  await page.getByRole("button", { name: "Pause" }).click();
  writeFileSync(gate, "");
  await expect(
    page
      .getByRole("button", { name: /new line/ })
      .or(page.locator(".log-line").filter({ hasText: "the end" }))
      .first(),
  ).toBeVisible();

  await page.getByLabel("Search", { exact: true }).last().fill("line 77");
  await expect(page.getByText("0 of 11")).toBeVisible();
  await page.getByRole("button", { name: "Next match" }).click();
  await expect(page.locator(".log-target")).toContainText("line 77");
  await page.getByRole("button", { name: "Next match" }).click();
  await expect(page.locator(".log-target")).toContainText("line 770");
  await page.getByRole("button", { name: /^Line 770:/ }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/#L770$/);

  await page.goto(daemon.page(`/p/p/t/talks/r/${run}/stdout#L1234`));
  await page.reload();
  await expect(page.locator(".log-target")).toContainText("line 1234");
  await page.getByRole("button", { name: "Copy visible lines" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(
    /^line 1233\nline 1234\nline 1235$/m,
  );
  await page.getByRole("link", { name: /^Errors/ }).click();
  await expect(page.locator(".log-line").filter({ hasText: "oops" })).toBeVisible();

  await page.getByRole("link", { name: /^Output/ }).click();
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  expect((await saved).suggestedFilename()).toContain("stdout");
});

test("what was printed while one looked on is there to go back to", async ({ page, place }) => {
  const gate = join(place.folder, "gate");
  place.configure(
    `agents: {talks: {type: command, command: [sh, -c, 'seq 1 100; while [ ! -e ${gate} ]; do sleep 0.1; done; seq 101 150000; sleep 300']}}\n`,
  );
  const daemon = await place.serve();
  const { run_id: run } = await daemon.task("p", "t", "talk", { agent_type: "talks" });
  await page.goto(daemon.page(`/p/p/t/t/r/${run}/stdout`));
  const lines = page.locator(".log-line");
  await expect(lines.last()).toContainText("100");
  writeFileSync(gate, "");
  await expect(lines.last()).toContainText("150000");
  const box = page.getByRole("log");
  const inView = () =>
    box.evaluate((log) => {
      const { left, top, height } = log.getBoundingClientRect();
      return (
        document.elementFromPoint(left + 100, top + height - 30)?.closest(".log-line")?.textContent ?? ""
      );
    });
  const before = await inView();
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("button", { name: "Follow" })).toBeVisible();
  await expect.poll(inView).toBe(before);
  for (const number of [300, 60_000, 20_000]) {
    await box.evaluate((log, top) => (log.scrollTop = top), (number - 3) * 20);
    const line = lines.filter({ has: page.getByRole("button", { name: `Line ${number}:` }) });
    await expect(line.locator(".log-text")).toHaveText(String(number));
  }
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a log of 100 MB opens at once, and a line of 10 MB does no harm", async ({ page, place }) => {
  const run = await printedMuch(
    place,
    { project: "p", task: "big" },
    "y".repeat(10_000_000),
    "needle at the end",
  );
  const daemon = await place.serve();
  const begun = Date.now();
  await page.goto(daemon.page(`/p/p/t/big/r/${run}/stdout`));
  await expect(page.locator(".log-line").filter({ hasText: "needle at the end" })).toBeVisible();
  const took = Date.now() - begun;
  test.info().annotations.push({ type: "100 MB", description: `${took} ms` });
  expect(took).toBeLessThan(8000);
  expect(await page.locator(".log-line").count()).toBeLessThan(200);
  await page.getByLabel("Search", { exact: true }).last().fill("needle");
  await expect(page.getByText(/of 1$/)).toBeVisible();
  await page.goto(daemon.page(`/p/p/t/big/r/${run}/stdout#L500001`));
  await page.reload();
  await expect(page.locator(".log-target .log-more")).toContainText("10.0 MB more");

  // The log of the whole task begins near its end.
  const again = Date.now();
  await page.goto(daemon.page("/p/p/t/big/log"));
  await expect(page.locator(".log-line").filter({ hasText: "needle at the end" })).toBeVisible();
  expect(Date.now() - again).toBeLessThan(8000);
  await expect(page.getByRole("button", { name: "Pause" })).toHaveCount(0);
});

test("the words of a real agent, live", async ({ page, place }) => {
  test.skip(!(await withCodex(place)), "target/agents holds no agents: scripts/test installs them");
  const daemon = await place.serve();
  const { run_id: run } = await daemon.task(
    "p",
    "real",
    "Make a file. [[run echo made > made.txt]] [[say The file is made.]]",
    {
      agent_type: "codex",
      config: { max_restarts: 0 },
    },
  );
  await page.goto(daemon.page(`/p/p/t/real/r/${run}`));
  await expect(page.locator(".fold").filter({ hasText: "made.txt" }).first()).toBeVisible({
    timeout: 60_000,
  });
  await expect(page.locator(".say-assistant")).toContainText("The file is made.", { timeout: 60_000 });
  await daemon.stands("p", "real", "completed", "idle", "failed");
  await expect(page.locator(".facts")).toContainText(/k in/);
});
