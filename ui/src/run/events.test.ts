import { describe, expect, it } from "vitest";
import { edits, emptyConversation, gist, takeEvents } from "./events";

const told = (...events: object[]) =>
  takeEvents(emptyConversation(), {
    type: "text",
    text: events.map((e, n) => `${JSON.stringify({ offset: n, ...e })}\n`).join(""),
  }).items;

describe("a conversation", () => {
  it("puts a result beside its call", () => {
    const items = told(
      { type: "tool_call", call_id: "1", tool: "Bash", input: { command: "ls" } },
      { type: "message", role: "assistant", text: "meanwhile" },
      { type: "tool_result", call_id: "1", status: "ok", output: "README.md" },
    );
    expect(items.map((i) => i.event.type)).toEqual(["tool_call", "message"]);
    expect(items[0]?.result?.output).toBe("README.md");
  });

  it("puts the parts of a text together", () => {
    const items = told(
      { type: "message", role: "assistant", text: "Hel", partial: true },
      { type: "message", role: "assistant", text: "lo" },
      { type: "message", role: "user", text: "Hi" },
    );
    expect(items.map((i) => (i.event.type === "message" ? i.event.text : ""))).toEqual(["Hello", "Hi"]);
  });

  it("joins lines that follow each other, and no others", () => {
    const raw = (offset: number, length: number, lines: number) => ({
      type: "raw",
      reason: "not_json",
      text: "",
      offset,
      length,
      lines,
    });
    const old = { type: "raw", reason: "not_json", text: "an older daemon stored this", offset: 60 };
    const items = told(raw(0, 10, 1), raw(10, 30, 3), raw(50, 10, 1), old);
    expect(items.map((i) => i.event)).toEqual([raw(0, 40, 4), raw(50, 10, 1), old]);
  });

  it("does not tell the answer twice", () => {
    const items = told(
      { type: "message", role: "assistant", text: "Done." },
      { type: "turn_end", outcome: "completed", message: "Done." },
    );
    expect(items[1]?.event).not.toHaveProperty("message");
  });

  it("survives a damaged line, and a line in two pieces", () => {
    const conversation = emptyConversation();
    takeEvents(conversation, { type: "text", text: '{"offset":1,"type":"reason' });
    takeEvents(conversation, { type: "text", text: 'ing","text":"hm"}\n{broken\n' });
    expect(conversation.items.map((i) => i.event.type)).toEqual(["reasoning"]);
  });

  it("says in a line what a tool is about", () => {
    expect(gist({ command: "ls\n  -la" })).toBe("ls -la");
    expect(gist({})).toBe("");
    expect(edits({ file_path: "/f", old_string: "a", new_string: "b" })).toEqual([
      { path: "/f", before: "a", after: "b" },
    ]);
    expect(edits({ command: "ls" })).toEqual([]);
  });
});
