// Shared fixtures of the browser tests: a sandbox, a page that is watched for errors, and axe.

import AxeBuilder from "@axe-core/playwright";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base, type BrowserContext, type Page } from "@playwright/test";
import { Place } from "./daemon";

interface Fixtures {
  place: Place;
  /** Unwanted reports of the page: errors, violations of its policy, and requests to other hosts. */
  faults: string[];
  phone: boolean;
}

/** With UI_DIST, the page is served from that folder and not from the binary. */
export async function fromDist(context: BrowserContext): Promise<void> {
  const dist = process.env["UI_DIST"];
  if (dist === undefined) return;
  const html = await readFile(join(dist, "index.html"));
  await context.route(/^http:\/\/127\.0\.0\.1:\d+\/ui\//, async (route) => {
    const answer = await route.fetch({ maxRetries: 3 }).catch(() => null);
    if (answer === null) return route.abort().catch(() => undefined);
    const name = new URL(route.request().url()).pathname.slice("/ui/".length);
    const file = name === "" ? html : await readFile(join(dist, name)).catch(() => html);
    const kinds: Record<string, string> = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
    const kind = file === html ? "text/html" : (kinds[name.split(".").pop() ?? ""] ?? "text/plain");
    const policy = answer.headers()["content-security-policy"] ?? "";
    await route.fulfill({ body: file, headers: { "content-type": kind, "content-security-policy": policy } });
  });
}

export const test = base.extend<Fixtures>({
  context: async ({ context }, use) => {
    await fromDist(context);
    await use(context);
  },
  // eslint-disable-next-line no-empty-pattern
  place: async ({}, use) => {
    const place = new Place();
    await use(place);
    await place.close();
  },
  phone: async ({ isMobile }, use) => use(isMobile),
  faults: [
    async ({ page }, use) => {
      const faults: string[] = [];
      page.on("pageerror", (e) => faults.push(String(e)));
      page.on("console", (m) => {
        // A test may stop the daemon: failed requests are not the page's fault then.
        if (m.type() === "error" && !/Failed to load resource|ERR_|net::/.test(m.text()))
          faults.push(m.text());
      });
      page.on("request", (r) => {
        if (!/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(r.url())) faults.push(`asked ${r.url()}`);
      });
      page.on("dialog", (d) => {
        faults.push(`dialog ${d.message()}`);
        void d.dismiss();
      });
      await use(faults);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Checks the page by the rules of axe. */
export async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(
    (v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`,
  );
  expect.soft(told).toEqual([]);
}

/** Checks that the page does not scroll sideways. */
export async function fits(page: Page): Promise<void> {
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(beyond).toBeLessThanOrEqual(0);
}

export async function live(page: Page): Promise<void> {
  await expect(page.locator(".connection")).toHaveText("Live");
}
