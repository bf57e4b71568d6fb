// What is made and measured with the page, and is no test: scripts/screenshots, scripts/ui-bench.
import { defineConfig } from "@playwright/test";
import tests from "../playwright.config";

export default defineConfig({
  ...tests,
  testDir: ".",
  testMatch: /(pictures|bench)\.ts$/,
  outputDir: "../test-results",
  timeout: 600_000,
  workers: 1,
  projects: [{ name: "tools" }],
});
