// 6: new projects and tasks, the palette, light and dark.

import { accessible, expect, fits, live, test } from "./test";

test("a project and a task are made, with what has been written kept", async ({ page, place }) => {
  const daemon = await place.serve();
  await page.goto(daemon.page("/new-project"));
  await page.getByLabel("Project", { exact: true }).fill("no spaces!");
  await expect(page.locator(".field-problem").first()).toBeVisible();
  await page.getByLabel("Project", { exact: true }).fill("shop");
  await page.getByLabel("Working folder", { exact: true }).fill("/nowhere/at/all");
  await page.getByRole("button", { name: "Create project" }).click();
  await expect(page.getByRole("alert")).toContainText("/nowhere/at/all");
  await page.getByLabel("Working folder", { exact: true }).fill(place.work);
  await accessible(page);
  await fits(page);
  await page.getByRole("button", { name: "Create project" }).click();
  await expect(page).toHaveURL(/\/p\/shop$/);
  await expect(page.getByText(place.work)).toBeVisible();

  await daemon.task("shop", "earlier");
  await page.getByRole("main").getByRole("link", { name: "New task" }).click();
  await expect(page.getByLabel("Project", { exact: true })).toHaveValue("shop");
  await expect(page.locator(`datalist option[value="${place.work}"]`)).toHaveCount(1);
  await expect(
    page.getByLabel("Agent", { exact: true }).locator("option").filter({ hasText: "not installed" }),
  ).not.toHaveCount(0);
  // An agent without a command cannot be started from the page.
  await expect(page.getByLabel("Agent", { exact: true }).locator('option[value="command"]')).toHaveCount(0);
  await page.getByLabel("Prompt", { exact: true }).fill("What is in this folder?");
  await page.getByLabel("Agent", { exact: true }).selectOption("demo");
  await page.getByLabel("Starts after", { exact: true }).selectOption("earlier");
  await page.waitForTimeout(400);
  await page.reload();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("What is in this folder?");
  await expect(page.locator(".tag")).toContainText("earlier");
  await expect(page.getByText("Draft kept")).toBeVisible();
  await accessible(page);
  await fits(page);

  // The page reports a start only after the daemon's answer.
  let answer = (): void => undefined;
  const held = new Promise<void>((r) => (answer = r));
  await page.route("**/api/v1/tasks", async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole("button", { name: "Start task" }).click();
  await expect(page.getByRole("button", { name: "Waiting for the daemon…" })).toBeDisabled();
  await expect(page).toHaveURL(/\/new/);
  answer();
  await expect(page).toHaveURL(/\/p\/shop\/t\/task-\d+-\d+-what-is-in-this-folder$/);
  await page.goto(daemon.page("/new"));
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("");
});

test("a request that nobody answered is sent again and done once", async ({ page, place }) => {
  const daemon = await place.serve();
  await page.goto(daemon.page("/new"));
  await page.getByLabel("Project", { exact: true }).fill("p");
  await page.getByLabel("Name", { exact: true }).fill("just-once");
  await page.getByLabel("Prompt", { exact: true }).fill("Do it");
  await page.getByLabel("Agent", { exact: true }).selectOption("demo");
  let cut = true;
  await page.route("**/api/v1/tasks", async (route) => {
    if (!cut) return route.continue();
    cut = false;
    // The daemon receives the request, and its answer is lost.
    await route.fetch();
    await route.abort("connectionreset");
  });
  await page.getByRole("button", { name: "Start task" }).click();
  await expect(page.getByRole("alert")).toContainText("Trying again is safe");
  await page.getByRole("button", { name: "Start task" }).click();
  await expect(page).toHaveURL(/\/t\/just-once$/);
});

test("the palette leads anywhere, and colours are as one likes", async ({ page, place, phone }) => {
  await place.job("p", "find-me", "true");
  const daemon = await place.serve();
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(daemon.page());
  await live(page);
  if (phone) await page.getByRole("button", { name: "Go to or do…" }).click();
  else await page.keyboard.press("Control+k");
  await expect(page.getByRole("dialog")).toBeVisible();
  await accessible(page);
  await page.keyboard.type("find");
  await expect(page.getByRole("option", { name: /find-me/ })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/t\/find-me$/);

  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.getByRole("button", { name: /^Colours/ }).click();
  await page.getByRole("button", { name: /^Colours/ }).click();
  await expect.poll(back).not.toBe(light);
  await accessible(page);
  await page.reload();
  await expect.poll(back).not.toBe(light);
});
