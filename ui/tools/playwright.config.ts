// Configuration for the tools that use the page but are not tests: scripts/screenshots, scripts/ui-bench.
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
