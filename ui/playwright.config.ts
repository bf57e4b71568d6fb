// The page in Debian's Chromium, against real daemons, on a laptop and on a phone.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const chromium =
  process.env["CHROMIUM"] ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  timeout: 90_000,
  expect: { timeout: 20_000 },
  fullyParallel: true,
  workers: Number(process.env["UI_WORKERS"] ?? 2),
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: {
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      // As root Chromium cannot make its sandbox.
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    },
    trace: "off",
    permissions: ["clipboard-read", "clipboard-write"],
  },
  projects: [
    { name: "laptop", use: { viewport: { width: 1440, height: 900 } } },
    {
      name: "phone",
      use: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
    },
  ],
});
