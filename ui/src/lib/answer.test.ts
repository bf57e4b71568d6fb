import { expect, test } from "vitest";
import { isAnswer } from "./answer";

test("an excuse is no answer", () => {
  for (const [text, expected] of [
    ["", false],
    [" \n", false],
    ["(the run left no answer: exit code 3)\n", false],
    ["(a session at a terminal: what was said there was not recorded)\n", false],
    ["4\n", true],
    ["(the run left no answer: so I looked.\n\nIt was the cache.\n", true],
  ] as const) {
    expect(isAnswer(text), text).toBe(expected);
  }
});
