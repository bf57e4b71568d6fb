// A conversation for the screenshots, in the format of an agent's stream, so that the daemon reads it like any other run.

type Block = Record<string, unknown>;

let id = 0;
const line = (value: Block): string =>
  JSON.stringify({ session_id: "7d0a9a6e-0000-4000-8000-000000000001", ...value });
const says = (content: Block): string =>
  line({
    type: "assistant",
    message: { id: `msg_${(id += 1)}`, role: "assistant", model: "claude-opus-5-5", content: [content] },
    parent_tool_use_id: null,
  });
const text = (text: string): string => says({ type: "text", text });
const thinks = (thinking: string): string => says({ type: "thinking", thinking, signature: "eA==" });

function tool(name: string, input: Block, output: string, more: Block = {}): string[] {
  const call = `toolu_${(id += 1)}`;
  return [
    says({ type: "tool_use", id: call, name, input }),
    line({
      type: "user",
      message: { role: "user", content: [{ tool_use_id: call, type: "tool_result", content: output }] },
      parent_tool_use_id: null,
      ...more,
    }),
  ];
}

const ANSWER = `The redirect after signing in goes **only to paths of our own site** now.

- \`safeTarget\` takes a path that begins with one \`/\`; everything else leads to \`/\`.
- \`//evil.example\` and \`/\\\\evil.example\`, which browsers read as another site, are covered by tests.

| check | before | now |
|---|---|---|
| tests | 41 passed | 44 passed |
| open redirects found by the scanner | 2 | 0 |`;

const EDIT = {
  type: "update",
  filePath: "src/login.js",
  structuredPatch: [
    {
      oldStart: 12,
      oldLines: 3,
      newStart: 12,
      newLines: 7,
      lines: [
        " export function afterLogin(request, response) {",
        "-  response.redirect(request.query.next);",
        "+  response.redirect(safeTarget(request.query.next));",
        " }",
        "+",
        "+function safeTarget(next) {",
        "+  return /^\\/(?![\\/\\\\])/.test(next ?? '') ? next : '/';",
        "+}",
      ],
    },
  ],
};

/** The lines that the agent prints. */
export const SESSION: string[] = [
  line({
    type: "system",
    subtype: "init",
    cwd: "/work/shop",
    tools: ["Bash", "Edit", "Read"],
    model: "claude-opus-5-5",
    permissionMode: "acceptEdits",
  }),
  thinks(
    "The report says that a link like /login?next=//evil.example leads away. I should find where `next` is used, and look at the tests that are there before I change anything.",
  ),
  text("I look for where the address after signing in comes from."),
  ...tool(
    "Bash",
    { command: "grep -rn 'query.next' src test", description: "Find uses of next" },
    "src/login.js:13:  response.redirect(request.query.next);\ntest/login.test.js:41:  get('/login?next=/cart')",
  ),
  ...tool(
    "Read",
    { file_path: "src/login.js" },
    "12\texport function afterLogin(request, response) {\n13\t  response.redirect(request.query.next);\n14\t}",
  ),
  text("It is used as it comes, in one place. I let through paths of this site only."),
  ...tool(
    "Edit",
    {
      file_path: "src/login.js",
      old_string: "request.query.next",
      new_string: "safeTarget(request.query.next)",
    },
    "The file src/login.js has been updated.",
    { tool_use_result: EDIT },
  ),
  ...tool(
    "Bash",
    { command: "npm test", description: "Run the tests" },
    "\u001b[32m✓\u001b[39m 44 passed (1.8 s)",
  ),
  text(ANSWER),
  line({
    type: "result",
    subtype: "success",
    is_error: false,
    num_turns: 9,
    duration_ms: 48_211,
    result: ANSWER,
    total_cost_usd: 0.4182,
    usage: { input_tokens: 61_204, cache_read_input_tokens: 48_330, output_tokens: 2_911 },
  }),
];
