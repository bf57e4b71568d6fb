// 2: one task.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accessible, expect, fits, test } from "./test";

test("says what it is to do, where it stands, what it used and changed", async ({ page, place }) => {
  await place.repository();
  await place.job(
    "p",
    "edits",
    'echo "a new line" >> README.md; echo made > made.txt; echo "# Done" > "$JRUN_RUN_FOLDER/output.md"',
  );
  const daemon = await place.serve();
  await page.goto(daemon.page("/p/p/t/edits"));
  await expect(page.locator(".why")).toContainText("completed");
  await expect(page.getByText("the prompt of edits")).toBeVisible();
  await expect(page.getByRole("heading", { name: "Done" })).toBeVisible();
  await expect(page.locator(".timeline-row")).toHaveCount(1);
  await expect(page.locator(".timeline-row")).toContainText("+2");
  await expect(page.getByText("run-agent task delete p/edits")).toBeVisible();
  await fits(page);
  await accessible(page);

  await page.getByRole("link", { name: "Changes", exact: true }).click();
  await expect(page.locator(".diff-add").filter({ hasText: "a new line" })).toBeVisible();
  await expect(page.locator(".diff-head").filter({ hasText: "made.txt" })).toContainText("added");
  await accessible(page);

  await page.getByRole("link", { name: "Files", exact: true }).click();
  await page.getByRole("link", { name: /Answer/ }).click();
  await expect(page).toHaveURL(/\/answer$/);
});

test("shows what each attempt changed", async ({ page, place }) => {
  await place.repository();
  await place.run(
    ...["task", "--project", "p", "--task", "twice", "--prompt", "p", "--max-restarts", "3", "--"],
    ...[
      "sh",
      "-c",
      'n=$(ls "$JRUN_TASK_FOLDER/runs" | wc -l); echo "line $n" >> README.md; [ $n = 1 ] || touch "$JRUN_TASK_FOLDER/DONE"',
    ],
  );
  const daemon = await place.serve();
  await page.goto(daemon.page("/p/p/t/twice/changes"));
  const added = page.locator(".diff-add");
  await page.getByLabel("Changes of").selectOption({ label: "Attempt 2 (+1 −0)" });
  await expect(added).toHaveText([/line 2/]);
  await page.getByLabel("Changes of").selectOption({ label: "Attempt 1 (+1 −0)" });
  await expect(added).toHaveText([/line 1/]);
});

test("is stopped after a question, and taken up again", async ({ page, place }) => {
  place.configure(
    "agents: {slow: {type: command, command: [sh, -c, 'echo working; sleep 300']}}\ndefaults: {stop_grace: 1s}\n",
  );
  const daemon = await place.serve();
  await daemon.task("p", "slow", "take your time", { agent_type: "slow" });
  await page.goto(daemon.page("/p/p/t/slow"));
  await expect(page.locator(".page-head").getByRole("img", { name: "Running" })).toBeVisible();
  await page.getByRole("button", { name: "Stop" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("Stop this task?");
  await accessible(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toHaveCount(0);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await expect(page.locator(".page-head").getByRole("img", { name: "Stopped" })).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(page.locator(".page-head").getByRole("img", { name: "Running" })).toBeVisible();
  await expect(page.locator(".timeline-row")).toHaveCount(2);
  await daemon
    .post("/api/v1/runs/" + place.lastRun("p", "slow").split("/").pop() + "/stop", {})
    .catch(() => null);
});

test("shows what it waits for, and leads there", async ({ page, place }) => {
  place.configure(
    "agents: {slow: {type: command, command: [sh, -c, 'sleep 300']}}\ndefaults: {stop_grace: 1s}\n",
  );
  const daemon = await place.serve();
  await daemon.task("p", "build", "build it", { agent_type: "slow" });
  await daemon.task("p", "check", "check it", { depends_on: ["build"] });
  await daemon.task("p", "ship", "ship it", { depends_on: ["build", "check"] });
  await page.goto(daemon.page("/p/p/t/ship"));
  await expect(page.locator(".page-head").getByRole("img", { name: "Blocked" })).toBeVisible();
  await expect(page.locator(".graph-node")).toHaveCount(3);
  await accessible(page);
  await page.locator(".graph-node").filter({ hasText: "build" }).click();
  await expect(page).toHaveURL(/\/t\/build$/);
  for (const task of ["ship", "check", "build"]) {
    await fetch(`${daemon.url}/api/v1/tasks/${task}?project_id=p`, { method: "DELETE" });
  }
});

test("its question is answered, and a new task made from it", async ({ page, place }) => {
  await place.job("p", "asks", '"$RUN_AGENT" bus post --type QUESTION --body "Which colour?"');
  const daemon = await place.serve();
  writeFileSync(join(place.work, "x"), "");
  const { messages } = await daemon.get<{ messages: { type: string; msg_id: string }[] }>(
    "/api/projects/p/tasks/asks/messages",
  );
  expect(messages.some((m) => m.type === "QUESTION")).toBe(true);

  await page.goto(daemon.page());
  await page.getByRole("link", { name: /Which colour/ }).click();
  const question = page.locator(".message-question");
  await question.getByRole("button", { name: "Reply" }).click();
  await page.getByLabel("Write a message").fill("Blue, please");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.locator(".replies")).toContainText("Blue, please");
  await page.goto(daemon.page());
  await expect(page.getByText("Nothing needs you.")).toBeVisible();

  await page.goto(daemon.page("/p/p/t/asks/messages"));
  await page.locator(".message-question").getByRole("link", { name: "New task from this" }).click();
  await expect(page.locator(".form-parent")).toContainText("Which colour?");
  await page.getByLabel("Prompt", { exact: true }).fill("Use blue everywhere");
  await page.getByLabel("Agent", { exact: true }).selectOption("demo");
  await page.getByRole("button", { name: "Start task" }).click();
  await expect(page).toHaveURL(/\/t\/task-.*use-blue-everywhere$/);
  await expect(page.getByText("Answers a message of")).toBeVisible();
});
