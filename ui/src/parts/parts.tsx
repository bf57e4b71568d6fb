// Small parts that many pages use.

import { Check, Copy, Download } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { Link } from "wouter";
import { ApiError } from "../api/client";
import { useNow } from "../lib/clock";
import { download } from "../lib/download";
import { ago, fullTime } from "../lib/format";
import { strings } from "../strings";

/** How long ago something was; the full time on hover. */
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

/** A page that has nothing to show: its name says why. */
export function EmptyPage({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty empty-page">
      <h1 className="empty-title">{title}</h1>
      {children}
    </div>
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

/** Copies a text, also where the page is not on a secure origin. */
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
    // The only way on an origin that is not secure; kept by all browsers for that reason.
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Says so where a topic cannot be told; it is tried again by itself. */
export function FeedProblem({ feed }: { feed: { error: string | null } }) {
  return feed.error === null ? null : <Failure error={new Error(feed.error)} />;
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
    <button
      type="button"
      className="icon-button"
      title={label}
      aria-label={label}
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
    </button>
  );
}

/** Saves a file of the daemon under a name. */
export function DownloadButton({ address, name }: { address: string; name: string }) {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={strings.download}
      title={strings.download}
      onClick={() => void download(address, name)}
    >
      <Download size={15} aria-hidden />
    </button>
  );
}

/** A command for a terminal, to be copied. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <CopyButton text={text} />
    </div>
  );
}

export interface View {
  id: string;
  label: string;
  to: string;
  note?: ReactNode;
}

/** The views of a place, each with an address of its own. */
export function Views({ views, current, label }: { views: View[]; current: string; label: string }) {
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    bar.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
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

/** The name of a page, and what one can do on it. */
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
