import { describe, expect, it } from "vitest";
import { plain, visible } from "./Ansi";

describe("a line of a terminal", () => {
  it.each([
    ["\x1b[31mred\x1b[0m", "red"],
    ["10 %\r20 %\r100 %", "100 %"],
    ["ends\r", "ends"],
    ["\x1b]0;a title\x07text", "text"],
    ["\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"],
    ["\x1b[2J\x1b[Hclear", "clear"],
    ["bell\x07 and back\x08", "bell and back"],
    ["\x1b[38;5;208morange\x1b[m", "orange"],
  ])("%j shows %j", (text, shown) => {
    expect(plain(text)).toBe(shown);
  });

  it("keeps colours and nothing else", () => {
    expect(visible("\x1b[1;32mok\x1b[0m\x1b[?25l")).toBe("\x1b[1;32mok\x1b[0m");
  });
});
