// Every page, in light and dark: no violations of axe, no sideways scrolling.

import { captured, type Daemon, type Place } from "./daemon";
import { accessible, expect, fits, live, test } from "./test";

/** A project with an example of everything. */
async function busy(place: Place): Promise<{ daemon: Daemon; addresses: string[] }> {
  await place.repository();
  place.configure(
    `agents:\n  ${captured(place, "claude", "bash-bypass-sandboxenv")}\n` +
      "  slow: {type: command, command: [sh, -c, 'sleep 300']}\ndefaults: {stop_grace: 1s, max_concurrent_root_tasks: 1}\n",
  );
  await place.job(
    "p",
    "edits",
    'printf "\\033[31mred\\033[0m \\033[1;32mgreen\\033[0m\\n"; echo oops >&2; echo more >> README.md; echo new > new.txt; ' +
      '"$RUN_AGENT" bus post --type QUESTION --body "Which **colour**?"; ' +
      '"$RUN_AGENT" bus post --type FACT --body "See [it](https://example.org) and `code`"; ' +
      'printf "# Done\\n\\n| a | b |\\n|---|---|\\n| 1 | 2 |\\n\\n- [x] it\\n" > "$JRUN_RUN_FOLDER/output.md"',
  );
  await place.job("p", "fails", "exit 3");
  const daemon = await place.serve();
  const { run_id: talk } = await daemon.task("p", "talk", "Write a file", {
    agent_type: "claude-bash-bypass-sandboxenv",
    config: { max_restarts: 0 },
  });
  await daemon.stands("p", "talk", "completed", "idle", "failed");
  await daemon.task("p", "slow", "s", { agent_type: "slow" });
  await daemon.task("p", "after", "a", { depends_on: ["slow", "edits"] });
  const edits = place.lastRun("p", "edits").split("/").pop() ?? "";
  const task = ["", "/messages", "/log", "/changes", "/files"].map((view) => `/p/p/t/edits${view}`);
  const run = ["conversation", "answer", "stdout", "stderr", "changes", "prompt", "record"];
  const addresses = [
    ...["/", "/tasks", "/messages", "/new", "/new-project", "/p/p", "/p/p/messages", "/p/p/t/after"],
    ...["/p/p/t/slow", "/p/p/t/talk", "/p/none", "/p/p/t/none", "/nowhere/at/all"],
    ...task,
    ...run.map((view) => `/p/p/t/edits/r/${edits}/${view}`),
    `/p/p/t/talk/r/${talk}`,
  ];
  return { daemon, addresses };
}

for (const colours of ["light", "dark"] as const) {
  test(`every page is accessible and fits, in ${colours}`, async ({ page, place }) => {
    test.setTimeout(300_000);
    const { daemon, addresses } = await busy(place);
    await page.emulateMedia({ colorScheme: colours });
    for (const address of addresses) {
      await test.step(address, async () => {
        await page.goto(daemon.page(address));
        await live(page);
        await expect(page.locator(".loading")).toHaveCount(0);
        const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        expect(back).toBe(colours === "dark" ? "rgb(16, 19, 25)" : "rgb(247, 248, 250)");
        await fits(page);
        await accessible(page);
      });
    }
  });
}
