// A text field with optional suggestions.

import { useId } from "react";
import { Field } from "./Field";

interface Props {
  label: string;
  hint: string;
  problem: string | null;
  value: string;
  change: (value: string) => void;
  suggestions?: readonly string[];
  placeholder?: string;
  autoFocus?: boolean;
}

export function TextField({ label, hint, problem, value, change, suggestions, ...more }: Props) {
  const list = useId();
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(p) => (
        <>
          <input
            {...p}
            {...more}
            value={value}
            list={suggestions && list}
            autoComplete="off"
            onChange={(e) => change(e.target.value)}
          />
          {suggestions && (
            <datalist id={list}>
              {suggestions.map((text) => (
                <option key={text} value={text} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}
