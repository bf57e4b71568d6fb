// A field of a form with its label, hint and error.

import { useId, type ReactNode } from "react";

interface Props {
  label: string;
  hint?: string | undefined;
  problem: string | null;
  children: (props: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ReactNode;
}

export function Field({ label, hint, problem, children }: Props) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-hint`, "aria-invalid": problem !== null })}
      <p id={`${id}-hint`} className={problem === null ? "field-hint" : "field-problem"}>
        {problem ?? hint}
      </p>
    </div>
  );
}
