// 1: projects, tasks and runs as a tree.

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

  // The restart chain, by keys alone.
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

  // Every place has a link: it opens where it was left.
  const address = page.url();
  await page.goto(address);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Attempt");
  if (phone) {
    await page.getByRole("link", { name: "Back" }).click();
    await expect(page).toHaveURL(/\/ui\/p\/beta\/t\/loops$/);
    await page.getByRole("link", { name: "Back" }).click();
  }

  // Filter and search, and how many of how many they show.
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
  // Without a command over HTTP the child is asked for by the command line, as an agent does.
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
