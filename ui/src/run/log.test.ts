import { describe, expect, it } from "vitest";
import { logOf, PAGE, pageOf, take, WIDTH, type Log } from "./log";

const text = (t: string, offset: number) => ({ type: "text", text: t, offset, end: offset + t.length });

describe("a log", () => {
  it("knows on which page a line is", () => {
    const log = logOf({ end: 5000, size: 5000, lines: 1200, every: 512, offsets: [0, 2000, 4000] });
    expect(pageOf(log, 0)).toEqual({ mark: { line: 0, offset: 0 }, lines: 512 });
    expect(pageOf(log, 511)?.mark.line).toBe(0);
    expect(pageOf(log, 512)?.mark).toEqual({ line: 512, offset: 2000 });
    expect(pageOf(log, 1199)).toEqual({ mark: { line: 1024, offset: 4000 }, lines: 176 });
    expect(pageOf(log, 1200)).toBeNull();
  });

  it("goes on with what is printed, also where a line comes in pieces", () => {
    const log = logOf({ end: 0, size: 0, lines: 0, every: 512, offsets: [] });
    take(log, text("one\ntw", 0));
    take(log, text("o\nthree\n", 6));
    expect(log.tail.map((l) => l.text)).toEqual(["one", "two", "three"]);
    expect([log.count, log.size, log.open]).toEqual([3, 14, false]);
  });

  it("shows the beginning of a long line and counts the rest", () => {
    const log = logOf({ end: 0, size: 0, lines: 0, every: 512, offsets: [] });
    take(log, text("x".repeat(WIDTH - 1), 0));
    take(log, text("y".repeat(1000), WIDTH - 1));
    take(log, text("z\n", WIDTH + 999));
    expect(log.tail).toEqual([{ text: `${"x".repeat(WIDTH - 1)}y`, more: 1000 }]);
  });

  it("lets go of old lines only where a page has them", () => {
    const log: Log = logOf({ end: 0, size: 0, lines: 0, every: 512, offsets: [] });
    let offset = 0;
    for (let n = 0; n < 60_000; n += 100) {
      const piece = Array.from({ length: 100 }, (_, i) => `line ${n + i}\n`).join("");
      take(log, text(piece, offset));
      offset += piece.length;
    }
    expect(log.count).toBe(60_000);
    expect(log.tail.length).toBeLessThan(41_000);
    expect(log.tail[0]?.text).toBe(`line ${log.tailFrom}`);
    expect(log.marks.some((m) => m.line === log.tailFrom)).toBe(true);
    const page = pageOf(log, log.tailFrom - 1);
    expect(page === null ? 0 : page.mark.line + page.lines).toBe(log.tailFrom);
    expect(page?.lines).toBeLessThan(2 * PAGE);
  });
});
