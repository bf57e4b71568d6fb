// Small components that many pages use.

import { Check, Copy, Download } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { Link } from "wouter";
import { ApiError } from "../api/client";
import { useNow } from "../lib/clock";
import { download } from "../lib/download";
import { ago, fullTime } from "../lib/format";
import { places } from "../lib/places";
import { strings } from "../strings";

/** The time since an event; the full time on hover. */
export function Age({ at, bare = false }: { at: string | undefined; bare?: boolean }) {
  const then = at === undefined ? 0 : Date.parse(at);
  const now = useNow(at === undefined ? null : 10_000);
  if (at === undefined) return null;
  const text = ago(now - then);
  return (
    <time dateTime={at} title={fullTime(at)} className="age">
      {bare ? text : strings.ago(text)}
    </time>
  );
}

/** A line of Markdown: text between backticks becomes code, and bold marks are dropped. */
export function Inline({ text }: { text: string }) {
  return text
    .replace(/\*\*(.+?)\*\*/g, "$1")
    .split("`")
    .map((part, n) => (n % 2 === 0 ? part : <code key={n}>{part}</code>));
}

export function Loading({ label = strings.loading }: { label?: string }) {
  return (
    <div className="loading" role="status">
      <span className="loading-bar" />
      <span className="sr">{label}</span>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** An empty page with the reason as its title. */
export function EmptyPage({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty empty-page">
      <h1 className="empty-title">{title}</h1>
      {children}
    </div>
  );
}

/** The page for an address without content, with a link back. */
export function NoSuch({ title, name }: { title: string; name?: string }) {
  return (
    <EmptyPage title={title}>
      {name !== undefined && (
        <p>
          <code>{name}</code>
        </p>
      )}
      <p>{strings.error.notFoundHint}</p>
      <Link className="button" to={places.overview}>
        {strings.nav.overview}
      </Link>
    </EmptyPage>
  );
}

export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  const message = error instanceof Error ? error.message : String(error);
  const missing = error instanceof ApiError && error.status === 404;
  return (
    <div className="failure" role="alert">
      <p className="empty-title">{missing ? strings.error.notFound : strings.error.title}</p>
      <p>{message}</p>
      {again && !missing && (
        <button type="button" className="button" onClick={again}>
          {strings.error.again}
        </button>
      )}
    </div>
  );
}

/** Copies a text, even on an origin that is not secure. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    // The deprecated command is the only way on an origin that is not secure.
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** An error of a topic. The page retries by itself. */
export function FeedProblem({ feed }: { feed: { error: string | null } }) {
  return feed.error === null ? null : <Failure error={new Error(feed.error)} />;
}

/** An icon button; its name is shown on hover. */
export function IconButton({
  label,
  children,
  onClick,
}: {
  label: string;
  children: ReactNode;
  onClick: () => void;
}) {
  return (
    <button type="button" className="icon-button" title={label} aria-label={label} onClick={onClick}>
      {children}
    </button>
  );
}

export function CopyButton({
  text,
  label = strings.copy,
}: {
  text: string | (() => string);
  label?: string;
}) {
  const [done, setDone] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <IconButton
      label={label}
      onClick={() => {
        void copyText(typeof text === "string" ? text : text()).then((copied) => {
          setDone(copied);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => setDone(false), 1500);
        });
      }}
    >
      {done ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
      <span className="sr" role="status">
        {done ? strings.copied : ""}
      </span>
    </IconButton>
  );
}

/** A button that saves a file of the daemon under a name. */
export function DownloadButton({ address, name }: { address: string; name: string }) {
  return (
    <IconButton label={strings.download} onClick={() => void download(address, name)}>
      <Download size={15} aria-hidden />
    </IconButton>
  );
}

/** A command for a terminal, to be copied. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code>
        {text.split(" ").map((word, n) => (
          <span key={n}>
            {n > 0 && " "}
            <span className="command-word">{word}</span>
          </span>
        ))}
      </code>
      <CopyButton text={text} />
    </div>
  );
}

/** Figures in a row: name, value, and an optional note. */
export function Figures({ of }: { of: [name: string, value: string, more?: string | undefined][] }) {
  return (
    <dl className="figures">
      {of.map(([name, value, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd title={more}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export interface View {
  id: string;
  label: string;
  to: string;
  note?: ReactNode;
}

/** Tabs; each view has an address of its own. */
export function Views({ views, current, label }: { views: View[]; current: string; label: string }) {
  const bar = useRef<HTMLElement>(null);
  // A new note in a tab moves the other tabs.
  const notes = views.filter((view) => view.note !== undefined).length;
  useEffect(() => {
    bar.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current, notes]);
  return (
    <nav className="views" aria-label={label} ref={bar}>
      {views.map((view) => (
        <Link key={view.id} to={view.to} aria-current={view.id === current ? "page" : undefined}>
          {view.label}
          {view.note !== undefined && <span className="views-note">{view.note}</span>}
        </Link>
      ))}
    </nav>
  );
}

/** The title of a page and its actions. */
export function PageHead({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <header className="page-head page-head-tight">
      <div className="page-title">
        <h1>{title}</h1>
        {children !== undefined && <span className="page-actions">{children}</span>}
      </div>
    </header>
  );
}

/** A part of a page with a heading. */
export function Card({
  title,
  actions,
  children,
  className = "",
}: {
  title: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={`card ${className}`}>
      <header className="card-head">
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}
