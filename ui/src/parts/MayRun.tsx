// What is there for those only who may start, stop and write.

import type { ReactNode } from "react";
import { useMayRun } from "../api/scope";
import { strings } from "../strings";
import { EmptyPage } from "./parts";

export function MayRun({ children }: { children: ReactNode }) {
  return useMayRun() ? children : null;
}

/** The same of a whole page, which says why it is empty. */
export function MayRunPage({ children }: { children: ReactNode }) {
  if (useMayRun()) return children;
  return (
    <EmptyPage title={strings.login.readOnly}>
      <p>{strings.login.readOnlyHint}</p>
    </EmptyPage>
  );
}
