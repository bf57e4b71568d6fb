// What is there for those only who may start, stop and write.

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

/** A link to where something new is made. */
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

/** The same of a whole page, which says why it is empty. */
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
