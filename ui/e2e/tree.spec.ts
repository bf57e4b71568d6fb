// 1: projects, tasks and runs as a tree.

import { many } from "./past";
import { accessible, expect, fits, live, test } from "./test";

test("shows how everything stands, has a link for every place, and is worked with keys", async ({
  page,
  place,
  phone,
}) => {
  await place.job("alpha", "fails", "echo no; exit 3");
  await place.job("alpha", "works", "echo yes");
  await place.run(
    ...["task", "--project", "beta", "--task", "loops", "--prompt", "p", "--max-restarts", "3", "--"],
    ...[
      "sh",
      "-c",
      '[ "$(ls ../root/beta/loops/runs | wc -l)" -ge 2 ] && touch "$JRUN_TASK_FOLDER/DONE"; exit 1',
    ],
  );
  const daemon = await place.serve();
  await page.goto(daemon.page("/tasks"));
  await live(page);
  const tree = page.getByRole("tree");
  const row = (name: string) => tree.getByRole("treeitem").filter({ hasText: name });
  await expect(row("fails").getByRole("img", { name: "Failed" })).toBeVisible();
  await expect(row("works").getByRole("img", { name: "Completed" })).toBeVisible();
  await expect(row("loops")).toContainText("×2");
  await fits(page);
  await accessible(page);

  // The restart chain, with the keyboard only.
  await tree.focus();
  await page.keyboard.press("Home");
  for (let n = 0; n < 10 && !(await tree.getAttribute("aria-activedescendant"))?.includes("loops"); n += 1) {
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("ArrowRight");
  await expect(tree.locator(".row-run")).toHaveCount(2);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/ui\/p\/beta\/t\/loops\/r\/\d/);

  await expect(page.getByRole("heading", { level: 1 })).toContainText("Attempt");

  // Every row has a link, which opens the same page.
  const address = page.url();
  await page.goto(address);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Attempt");
  if (phone) {
    await page.getByRole("link", { name: "Back" }).click();
    await expect(page).toHaveURL(/\/ui\/p\/beta\/t\/loops$/);
    await page.getByRole("link", { name: "Back" }).click();
  }

  // Filter and search, with the numbers of shown and of all tasks.
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await expect(row("works")).toHaveCount(0);
  await expect(page.locator(".tree-foot")).toContainText("1 of 3");
  await page.getByRole("button", { name: "All", exact: true }).click();
  await page.getByLabel("Search tasks").fill("loo");
  await expect(tree.getByRole("treeitem").filter({ hasText: "fails" })).toHaveCount(0);
  await page.getByLabel("Search tasks").fill("nowhere");
  await page.getByRole("button", { name: "Show all" }).last().click();
  await expect(row("fails")).toBeVisible();
});

test("has child tasks below the task that asked for them", async ({ page, place }) => {
  const daemon = await place.serve();
  const parent = await daemon
    .task("family", "parent", "hold on", { agent_type: "command", config: {} })
    .catch(() => null);
  // The command line starts the child task, as an agent does.
  expect(parent).toBeNull();
  await place.job("family", "parent", `"${process.env["RUN_AGENT"] ?? "run-agent"}" --version || true`);
  const run = place.lastRun("family", "parent").split("/").pop() ?? "";
  await daemon.task("family", "child", "What is here?", { parent_run_id: run });
  await daemon.stands("family", "child", "completed", "idle", "failed");
  await page.goto(daemon.page("/tasks"));
  const tree = page.getByRole("tree");
  await expect(tree.getByRole("treeitem").filter({ hasText: "parent" })).toBeVisible();
  await tree.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowRight");
  await expect(tree.locator('[aria-level="3"]').filter({ hasText: "child" })).toBeVisible();
});

test("never moves under the pointer", async ({ page, place, phone }) => {
  test.skip(phone, "a finger does not hover");
  await place.job("p", "first", "true");
  const daemon = await place.serve();
  await page.goto(daemon.page("/tasks"));
  const first = page.getByRole("treeitem").filter({ hasText: "first" });
  await first.hover();
  const before = await first.boundingBox();
  await daemon.task("p", "second");
  await expect(page.getByRole("button", { name: "update the list" })).toBeVisible();
  expect(await first.boundingBox()).toEqual(before);
  await page.mouse.move(900, 500);
  await expect(page.getByRole("treeitem").filter({ hasText: "second" })).toBeVisible();
  expect((await first.boundingBox())?.y).toBeGreaterThan(before?.y ?? 0);
});

test("a thousand tasks scroll, are worked with keys, and stay where they are when others come", async ({
  page,
  place,
  phone,
}) => {
  await many(place, "p", 1000);
  const daemon = await place.serve();
  await page.goto(daemon.page("/tasks"));
  await expect(page.locator(".tree-foot")).toContainText("1,000 tasks");
  const tree = page.getByRole("tree");
  const rows = tree.getByRole("treeitem");
  expect(await rows.count()).toBeLessThan(80);

  // One frame after any scroll, the view is full of rows.
  const blank = await tree.evaluate(async (box) => {
    const gaps: number[] = [];
    const { left, top, width, height } = box.getBoundingClientRect();
    for (let at = 0; at < box.scrollHeight - height; at += height * 0.8) {
      box.scrollTop = at;
      await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
      for (const y of [5, height / 2, height - 5]) {
        if (!document.elementFromPoint(left + width / 2, top + y)?.closest("[role=treeitem]")) gaps.push(at);
      }
    }
    return gaps;
  });
  expect(blank).toEqual([]);

  const active = () =>
    tree.evaluate((box) => {
      const row = document.getElementById(box.getAttribute("aria-activedescendant") ?? "");
      const [outer, inner] = [box.getBoundingClientRect(), row?.getBoundingClientRect()];
      return {
        n: Number(row?.getAttribute("aria-posinset")),
        seen: inner !== undefined && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1,
      };
    });
  await tree.focus();
  await page.keyboard.press("End");
  await expect.poll(active).toEqual({ n: 1001, seen: true });
  await page.keyboard.press("Home");
  await expect.poll(active).toEqual({ n: 1, seen: true });
  for (let n = 0; n < 60; n += 1) await page.keyboard.press("ArrowDown");
  await expect.poll(active).toEqual({ n: 61, seen: true });
  await page.keyboard.press("PageDown");
  await expect.poll(async () => (await active()).n).toBeGreaterThan(65);
  expect((await active()).seen).toBe(true);

  // Far down, with the pointer elsewhere, new rows above do not move the rows in view.
  if (!phone) await page.mouse.move(1000, 600);
  await tree.evaluate((box) => (box.scrollTop = box.scrollHeight / 2));
  const row = rows.filter({ hasText: "task-00498" });
  await expect(row).toBeVisible();
  const before = await row.boundingBox();
  for (const name of ["new-1", "new-2", "new-3"]) await daemon.task("p", name);
  await expect(page.locator(".tree-foot")).toContainText("1,003 tasks");
  expect(await row.boundingBox()).toEqual(before);
});
