// 4: messages of projects and tasks.

import { accessible, expect, fits, live, test } from "./test";

test("messages come live, are filtered, answered in threads, and marked until they are seen", async ({
  page,
  place,
}) => {
  await place.job("p", "t", '"$RUN_AGENT" bus post --type FACT --body "The sky is **blue**"');
  const daemon = await place.serve();
  await page.goto(daemon.page("/p/p/messages"));
  await live(page);
  await expect(page.locator(".message-fact strong")).toHaveText("blue");

  // The form stands at the bottom of the page, even with few messages.
  const [field, main] = [
    await page.locator(".compose").boundingBox(),
    await page.locator("#content").boundingBox(),
  ];
  expect((field?.y ?? 0) + (field?.height ?? 0)).toBeGreaterThan((main?.y ?? 0) + (main?.height ?? 0) - 3);

  await daemon.post("/api/projects/p/messages", { type: "DECISION", body: "We paint it" });
  await expect(page.locator(".message-decision")).toContainText("We paint it");
  await fits(page);
  await accessible(page);

  // An answer goes to the bus that the message came from.
  await page.locator(".message-fact").getByRole("button", { name: "Reply" }).click();
  await page.getByLabel("Write a message").fill("Thanks");
  await page.getByLabel("Write a message").press("Control+Enter");
  await expect(page.locator(".replies")).toContainText("Thanks");
  const { messages } = await daemon.get<{ messages: { body: string; parents?: string[] }[] }>(
    "/api/projects/p/tasks/t/messages",
  );
  expect(messages.find((m) => m.body === "Thanks")?.parents).toHaveLength(1);

  await page.getByLabel("Kind", { exact: true }).first().selectOption("DECISION");
  await expect(page.locator(".message")).toHaveCount(1);
  await page.getByLabel("Kind", { exact: true }).first().selectOption("");
  await page.getByLabel("Filter", { exact: true }).fill("paint");
  await expect(page.locator(".message")).toHaveCount(1);
  await page.getByLabel("Filter", { exact: true }).fill("");
  await page.getByLabel("Starts and ends of runs").check();
  await expect(page.locator(".kind-run_start")).toBeVisible();

  // A draft survives a reload.
  await page.getByLabel("Write a message").fill("half a thou");
  await page.waitForTimeout(400);
  await page.reload();
  await expect(page.getByLabel("Write a message")).toHaveValue("half a thou");

  // Messages that arrive while another page is open are marked.
  await page.goto(daemon.page());
  await live(page);
  await daemon.post("/api/projects/p/messages", { type: "FACT", body: "News" });
  await expect(page.locator(".badge").first()).toHaveText("1");
  await page
    .getByRole("link", { name: /Messages/ })
    .first()
    .click();
  await expect(page.getByText("New since your last visit")).toBeVisible();
  await expect(page.locator(".badge")).toHaveCount(0);
});
