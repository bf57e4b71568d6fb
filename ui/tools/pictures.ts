// The screenshots of the README; scripts/screenshots makes them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { repository } from "../e2e/daemon";
import { expect, fromDist, live, test } from "../e2e/test";
import { day } from "./day";

const out = join(repository, "docs/images");
test("pictures", async ({ browser, place }) => {
  mkdirSync(out, { recursive: true });
  const { daemon, login } = await day(place);
  const views = [
    { name: "overview", at: "/", ready: ".chart canvas" },
    { name: "task", at: "/p/shop/t/close-open-redirect", ready: ".timeline-row" },
    { name: "run", at: `/p/shop/t/close-open-redirect/r/${login}`, ready: ".say-assistant" },
  ];
  const sizes = [
    { of: "laptop", viewport: { width: 1440, height: 900 }, scale: 1.5, isMobile: false, views },
    {
      of: "phone",
      viewport: { width: 390, height: 844 },
      scale: 2,
      isMobile: true,
      views: [
        ...views.slice(0, 1),
        { name: "tree", at: "/tasks", ready: "[role=treeitem]" },
        ...views.slice(2),
      ],
    },
  ];
  for (const { of, viewport, scale, isMobile, views: shown } of sizes) {
    for (const colorScheme of ["light", "dark"] as const) {
      const context = await browser.newContext({
        viewport,
        deviceScaleFactor: scale,
        isMobile,
        hasTouch: isMobile,
        colorScheme,
      });
      await fromDist(context);
      const page = await context.newPage();
      for (const { name, at, ready } of shown) {
        await page.goto(daemon.page(at));
        await live(page);
        await expect(page.locator(ready).first()).toBeVisible();
        await page.waitForTimeout(800);
        await picture(page, `${name}-${of}-${colorScheme}`);
      }
      await context.close();
    }
  }
});

/** Chromium encodes the picture as WebP, which is a quarter of the size. UI_PNG keeps the PNG as well. */
async function picture(page: Page, name: string): Promise<void> {
  const png = await page.screenshot();
  const keep = process.env["UI_PNG"];
  if (keep !== undefined) writeFileSync(join(keep, `${name}.png`), png);
  const packer = await page.context().newPage();
  const webp = await packer.evaluate(async (data) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d")?.drawImage(image, 0, 0);
    const bytes = new Uint8Array(
      await (await canvas.convertToBlob({ type: "image/webp", quality: 0.85 })).arrayBuffer(),
    );
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  }, png.toString("base64"));
  await packer.close();
  writeFileSync(join(out, `${name}.webp`), Buffer.from(webp, "base64"));
}
