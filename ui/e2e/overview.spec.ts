// 5: the overview.

import { captured } from "./daemon";
import { accessible, expect, fits, live, test } from "./test";

test("shows what needs somebody, what runs and waits, and what it came to", async ({ page, place }) => {
  place.configure(
    `agents:\n  slow: {type: command, command: [sh, -c, 'sleep 300']}\n  ${captured(place, "claude", "think")}\n` +
      "defaults: {max_concurrent_root_tasks: 1, stop_grace: 1s}\n",
  );
  await place.job("p", "asks", '"$RUN_AGENT" bus post --type QUESTION --body "Shall I?"');
  await place.job("p", "fails", "exit 4");
  const daemon = await place.serve();
  await daemon.task("p", "think", "t", { agent_type: "claude-think", config: { max_restarts: 0 } });
  await daemon.stands("p", "think", "completed", "idle", "failed");
  await daemon.task("p", "busy", "b", { agent_type: "slow" });
  await daemon.task("p", "waits", "w");
  await page.goto(daemon.page());
  await live(page);
  const card = (name: string) =>
    page.locator(".card").filter({ has: page.getByRole("heading", { name, exact: true }) });
  await expect(card("Needs you")).toContainText("Shall I?");
  await expect(card("Needs you")).toContainText("exit code 4");
  await expect(card("Running")).toContainText("busy");
  await expect(card("Queue")).toContainText("#1");
  await expect(card("Totals")).toContainText("12.7 k");
  await expect(card("Totals").locator("canvas").first()).toBeVisible();
  await expect(card("Disk")).toContainText("free");
  await expect(card("Agents")).toContainText("demo");
  await expect(card("Agents").getByRole("listitem").filter({ hasText: "per job" })).toContainText("command");
  await expect(card("Daemon")).toContainText("1 of 1 used");
  await fits(page);
  await accessible(page);

  const failure = card("Needs you").getByRole("listitem").filter({ hasText: "exit code 4" });
  await failure.getByRole("button", { name: "Seen" }).click();
  await expect(card("Needs you")).not.toContainText("exit code 4");
  await fetch(`${daemon.url}/api/v1/tasks/waits?project_id=p`, { method: "DELETE" });
  await expect(card("Queue")).toHaveCount(0);
  await fetch(`${daemon.url}/api/v1/tasks/busy?project_id=p`, { method: "DELETE" });
  await expect(card("Running")).toContainText("Nothing is running.");
});
