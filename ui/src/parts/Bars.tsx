// The bar above every page, and the one below it on a phone.

import {
  ChevronLeft,
  Command,
  LayoutDashboard,
  ListTree,
  LogOut,
  MessagesSquare,
  Monitor,
  Moon,
  Plus,
  Sun,
} from "lucide-react";
import { useState } from "react";
import { useMayRun } from "../api/scope";
import { Link, useLocation } from "wouter";
import { useUnread } from "../bus/unread";
import { useExternal } from "../lib/external";
import { places } from "../lib/places";
import { useWide } from "../lib/wide";
import { connection } from "../live/stream";
import { strings } from "../strings";
import { IconButton } from "./parts";
import { applyTheme, theme, THEMES } from "./theme";

const THEME_ICONS = { auto: Monitor, light: Sun, dark: Moon };

/** Returns the parent address of an address. */
function above(location: string): string | null {
  const run = /^(\/p\/[^/]+\/t\/[^/]+)\/r\//.exec(location);
  if (run) return run[1] ?? null;
  if (/^\/p\//.test(location)) return places.tasks;
  return null;
}

export function TopBar({
  openPalette,
  signOut,
}: {
  openPalette: () => void;
  signOut: (() => void) | undefined;
}) {
  const [location] = useLocation();
  const wide = useWide();
  const [shown, setShown] = useState(theme);
  const unread = useUnread();
  const mayRun = useMayRun();
  const ThemeIcon = THEME_ICONS[shown];
  const up = wide ? null : above(location);
  return (
    <header className="top">
      {up !== null && (
        <Link to={up} className="icon-button" aria-label={strings.nav.back}>
          <ChevronLeft size={22} aria-hidden />
        </Link>
      )}
      <Link to={places.overview} className="brand">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden>
          <rect width="32" height="32" rx="8" className="brand-back" />
          <path d="M9 22 22 7" className="brand-stick" />
          <circle cx="8.4" cy="22.8" r="3.4" className="brand-head" />
        </svg>
        <span className={up === null ? "" : "sr"}>{strings.app}</span>
      </Link>
      {wide && (
        <nav className="top-nav" aria-label={strings.nav.main}>
          <Link to={places.overview} aria-current={location === "/" ? "page" : undefined}>
            {strings.nav.overview}
          </Link>
          <Link to={places.messages} aria-current={location.endsWith("/messages") ? "page" : undefined}>
            {strings.nav.messages}
            {unread > 0 && <span className="badge">{unread > 99 ? "99+" : unread}</span>}
          </Link>
        </nav>
      )}
      <span className="top-gap" />
      {!mayRun && (
        <span className="read-only" title={strings.login.readOnly}>
          {strings.login.readOnlySign}
        </span>
      )}
      <ConnectionSign />
      <button type="button" className="palette-button" onClick={openPalette} aria-label={strings.nav.palette}>
        {wide ? (
          <>
            <span>{strings.nav.palette}</span>
            <kbd>Ctrl K</kbd>
          </>
        ) : (
          <Command size={18} aria-hidden />
        )}
      </button>
      <IconButton
        label={`${strings.theme.label}: ${strings.theme[shown]}`}
        onClick={() => {
          const next = THEMES[(THEMES.indexOf(shown) + 1) % THEMES.length] ?? "auto";
          applyTheme(next);
          setShown(next);
        }}
      >
        <ThemeIcon size={18} aria-hidden />
      </IconButton>
      {signOut && (
        <IconButton label={strings.nav.signOut} onClick={signOut}>
          <LogOut size={18} aria-hidden />
        </IconButton>
      )}
      {wide && mayRun && (
        <Link to={places.newTask} className="button primary">
          <Plus size={16} aria-hidden />
          {strings.nav.newTask}
        </Link>
      )}
    </header>
  );
}

function ConnectionSign() {
  const { state } = useExternal(connection);
  return (
    <span
      className={`connection connection-${state}`}
      role="status"
      title={state === "live" ? strings.connection.liveFor : ""}
    >
      <span className="connection-dot" aria-hidden />
      {strings.connection[state]}
    </span>
  );
}

export function BottomBar() {
  const [location] = useLocation();
  const unread = useUnread();
  const mayRun = useMayRun();
  const entries = [
    { to: places.overview, label: strings.nav.overview, Icon: LayoutDashboard, here: location === "/" },
    {
      to: places.tasks,
      label: strings.nav.tasks,
      Icon: ListTree,
      here: location === "/tasks" || (location.startsWith("/p/") && !location.endsWith("/messages")),
    },
    {
      to: places.messages,
      label: strings.nav.messages,
      Icon: MessagesSquare,
      here: location.endsWith("/messages"),
    },
    ...(mayRun
      ? [{ to: places.newTask, label: strings.nav.newTask, Icon: Plus, here: location === "/new" }]
      : []),
  ];
  return (
    <nav className="bottom" aria-label={strings.nav.main}>
      {entries.map(({ to, label, Icon, here }) => (
        <Link key={to} to={to} aria-current={here ? "page" : undefined}>
          <span className="bottom-icon">
            <Icon size={20} aria-hidden />
            {to === places.messages && unread > 0 && (
              <span className="badge">{unread > 99 ? "99+" : unread}</span>
            )}
          </span>
          {label}
        </Link>
      ))}
    </nav>
  );
}
