// Content that needs a key with the scope `run`.

import { Plus } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useMayRun } from "../api/scope";
import { strings } from "../strings";
import { EmptyPage, Inline } from "./parts";

export function MayRun({ children }: { children: ReactNode }) {
  return useMayRun() ? children : null;
}

interface NewLinkProps {
  to: string;
  children: string;
  primary?: boolean;
}

/** A link to a form that creates something. */
export function NewLink({ to, children, primary = false }: NewLinkProps) {
  return (
    <MayRun>
      <Link className={primary ? "button primary" : "button"} to={to}>
        <Plus size={15} aria-hidden />
        {children}
      </Link>
    </MayRun>
  );
}

/** The same for a whole page, with an explanation if the key is read-only. */
export function MayRunPage({ children }: { children: ReactNode }) {
  if (useMayRun()) return children;
  return (
    <EmptyPage title={strings.login.readOnly}>
      <p>
        <Inline text={strings.login.readOnlyHint} />
      </p>
    </EmptyPage>
  );
}
