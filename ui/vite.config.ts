// Builds the page into dist/, where the crate's build script finds it.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Packs every text file of the build, so that the daemon never has to. */
function packed(folder: string) {
  const pack = (dir: string): void => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (statSync(path).isDirectory()) pack(path);
      else if (/\.(js|css|html|svg|webmanifest)$/.test(name)) {
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    }
  };
  return { name: "packed", closeBundle: () => pack(folder) };
}

const daemon = process.env["CONDUCTOR_URL"] ?? "http://127.0.0.1:14355";

export default defineConfig({
  base: "/ui/",
  plugins: [react(), packed("dist")],
  build: {
    target: "es2022",
    // With `light-dark()`, which needs no second list of colours.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The policy of the page allows no data: address for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: "build.json",
  },
  server: {
    // `npm run dev` works against a daemon that runs: the browser sees one origin.
    proxy: { "/api": daemon, "/openapi.json": daemon },
  },
  preview: { proxy: { "/api": daemon, "/openapi.json": daemon } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});

if (process.argv.includes("build")) rmSync("dist", { recursive: true, force: true });
