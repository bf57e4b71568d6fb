// Output of an agent cannot affect the page: no scripts, no unmarked external links, no images from other hosts.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./test";

const EVIL = [
  "<script>window.evil = 1; alert(1)</script>",
  "<img src=x onerror='window.evil = 1'>",
  "<img src='https://evil.example/pixel.png'>",
  "![pixel](https://evil.example/pixel.png)",
  "[link](javascript:window.evil=1)",
  "<a href='javascript:window.evil=1'>click</a>",
  "<style>* { display: none }</style>",
  "<iframe src='https://evil.example'></iframe>",
  "<svg onload='window.evil=1'></svg>",
  "\u001b]0;title\u0007\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\ \u001b[2J\u001b[31mred\u001b[0m \u0007\u0008",
].join("\n\n");

test("hostile words of an agent are words", async ({ page, place }) => {
  await place.job("p", "evil", "true");
  const folder = place.lastRun("p", "evil");
  const events = EVIL.split("\n\n").flatMap((text, n) => [
    { version: 1, offset: n, length: 1, type: "message", role: "assistant", text },
    {
      version: 1,
      offset: n,
      length: 1,
      part: 2,
      type: "tool_call",
      call_id: `c${n}`,
      tool: text,
      input: { command: text },
    },
    {
      version: 1,
      offset: n,
      length: 1,
      part: 3,
      type: "tool_result",
      call_id: `c${n}`,
      status: "ok",
      output: text,
    },
    {
      version: 1,
      offset: n,
      length: 1,
      part: 4,
      type: "file_change",
      path: text,
      change: "update",
      diff: `@@ -1 +1 @@\n-a\n+${text}\n`,
    },
    { version: 1, offset: n, length: 1, part: 5, type: "reasoning", text },
  ]);
  writeFileSync(join(folder, "events.jsonl"), events.map((e) => `${JSON.stringify(e)}\n`).join(""));
  writeFileSync(join(folder, "output.md"), EVIL);
  writeFileSync(
    join(folder, "agent-stdout.txt"),
    `${EVIL}\n${"<b>".repeat(3_400_000)}\n\u0000\u0001binary\u00ff\n`,
  );
  writeFileSync(join(folder, "agent-stderr.txt"), `${EVIL}\n`);
  writeFileSync(
    join(folder, "changes.patch"),
    `diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n+${EVIL.split("\n\n")[0]}\n+${EVIL.split("\n\n")[1]}\n`,
  );
  const daemon = await place.serve();
  for (const body of EVIL.split("\n\n"))
    await daemon.post("/api/projects/p/tasks/evil/messages", { type: "FACT", body });
  await daemon.post("/api/projects/p/tasks/evil/messages", {
    type: "FACT",
    body: "links",
    links: [{ url: "javascript:window.evil=1", label: "<b>click</b>" }],
  });

  const run = folder.split("/").pop() ?? "";
  for (const view of ["conversation", "answer", "stdout", "stderr", "changes", "record"]) {
    await page.goto(daemon.page(`/p/p/t/evil/r/${run}/${view}`));
    await expect(page.locator(".views [aria-current]")).toBeVisible();
    await page.waitForTimeout(500);
    if (view === "conversation") {
      await page.getByRole("button", { name: "Unfold all" }).click();
      await page.waitForTimeout(300);
    }
    await harmless();
  }
  await page.goto(daemon.page("/p/p/t/evil/messages"));
  await expect(page.locator(".message-links")).toContainText("javascript:");
  await harmless();
  await page.goto(daemon.page("/p/p/t/evil"));
  await page.waitForTimeout(500);
  await harmless();

  async function harmless(): Promise<void> {
    const found = await page.evaluate(() => {
      const inside = document.querySelector("#content");
      return {
        evil: (window as unknown as { evil?: number }).evil,
        title: document.title,
        elements: inside?.querySelectorAll("script, iframe, img, style, object, embed, form[action]").length,
        links: [...(inside?.querySelectorAll("a") ?? [])].filter((a) => !/^(https?:|mailto:)/.test(a.href))
          .length,
        visible: inside?.checkVisibility(),
      };
    });
    expect(found).toEqual({ evil: undefined, title: "Conductor", elements: 0, links: 0, visible: true });
  }
});
