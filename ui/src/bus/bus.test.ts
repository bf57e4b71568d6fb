import { describe, expect, it } from "vitest";
import type { Message } from "../api/types";
import { openQuestions } from "./Attention";
import { READING } from "./bus";
import { threadsOf } from "./threads";
import { unreadOf } from "./unread";

const message = (id: string, more: Partial<Message> = {}): Message => ({
  msg_id: id,
  timestamp: `2026-01-01T00:00:0${id}Z`,
  ts: `2026-01-01T00:00:0${id}Z`,
  type: "FACT",
  project_id: "p",
  body: "",
  ...more,
});

describe("messages", () => {
  it("stand in threads below what they answer", () => {
    const threads = threadsOf([
      message("1"),
      message("2", { parents: ["1"] }),
      message("3", { parents: ["9"] }),
    ]);
    expect(threads.map((t) => [t.message.msg_id, t.replies.length])).toEqual([
      ["1", 1],
      ["3", 0],
    ]);
    expect(threadsOf([message("1", { parents: ["1"] })])).toHaveLength(1);
  });

  it("are put where they belong when they come late", () => {
    let list = READING.empty();
    for (const id of ["1", "3", "2", "2"])
      list = READING.take(list, { type: "message", message: message(id) });
    expect(list.map((m) => m.msg_id)).toEqual(["1", "2", "3"]);
  });

  it("are open questions until somebody answers", () => {
    const asked = message("1", { type: "QUESTION", task_id: "t" });
    const open = (...more: Message[]) => openQuestions([asked, ...more], new Set()).length;
    expect(open()).toBe(1);
    expect(open(message("2", { parents: ["1"] }))).toBe(0);
    expect(open(message("2", { type: "TASK_DONE", task_id: "t" }))).toBe(1);
    expect(openQuestions([asked], new Set(["1"]))).toEqual([]);
  });

  it("are unread behind the mark, and none before one has been there", () => {
    const list = [message("1"), message("2"), message("3", { type: "RUN_START" })];
    expect(unreadOf("p", list, {})).toBe(0);
    expect(unreadOf("p", list, { p: "2026-01-01T00:00:01Z 1" })).toBe(1);
  });
});
