// Sanitized Markdown of agents: no raw HTML, nothing that loads or runs, and external links are marked.

import "../styles/markdown.css";
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { memo, useMemo } from "react";

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: false, typographer: false });
// An image could load from any server that the agent names; its alternative text is shown instead.
markdown.renderer.rules["image"] = (tokens, n) => {
  const token = tokens[n];
  const text = token?.content === "" ? token.attrGet("src") : token?.content;
  return `<span class="md-image">${markdown.utils.escapeHtml(String(text ?? ""))}</span>`;
};

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  }
});

/** A longer text is shown without formatting, because rendering it would block the page. */
const LONGEST = 400_000;

/** Returns safe HTML for an untrusted text. */
export function safeHtml(text: string): string {
  return purify.sanitize(markdown.render(text), {
    ALLOWED_TAGS: [
      ...["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"],
      ...["em", "strong", "s", "del", "a", "span", "table", "thead", "tbody", "tr", "th", "td"],
    ],
    ALLOWED_ATTR: ["href", "class", "start"],
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}

export default memo(function Markdown({ text }: { text: string }) {
  const html = useMemo(() => (text.length > LONGEST ? null : safeHtml(text)), [text]);
  if (html === null) return <pre className="plain">{text}</pre>;
  return <div className="md" dangerouslySetInnerHTML={{ __html: html }} />;
});
