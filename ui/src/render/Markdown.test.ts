import { describe, expect, it } from "vitest";
import { safeHtml } from "./Markdown";

describe("Markdown of an agent", () => {
  it.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "[x](javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>body{display:none}</style>",
    "<iframe src='https://evil.example'></iframe>",
    "<form action='https://evil.example'><input></form>",
    "<svg onload=alert(1)>",
    '[x](https://ok.example "a\\" onclick=\\"alert(1)")',
  ])("%j does nothing", (text) => {
    const box = document.createElement("div");
    // eslint-disable-next-line no-restricted-syntax
    box.innerHTML = safeHtml(text);
    expect(box.querySelectorAll("script, img, style, iframe, form, input, svg, object, link")).toHaveLength(
      0,
    );
    for (const element of box.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^on|^style$|^src$/);
        expect(value).not.toMatch(/^\s*(javascript|data):/i);
      }
    }
  });

  it("is rendered, and a link leads outside by itself only", () => {
    const html = safeHtml("# T\n\n- a **b**\n\n|x|\n|-|\n|y|\n\nhttps://example.org");
    expect(html).toContain("<h1>T</h1>");
    expect(html).toContain("<strong>b</strong>");
    expect(html).toContain("<td>y</td>");
    expect(html).toMatch(/<a [^>]*href="https:\/\/example\.org"/);
    expect(html).toContain('rel="noopener noreferrer nofollow"');
  });
});
