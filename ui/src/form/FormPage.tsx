// A page with a form: its fields, what went wrong, and the buttons below.

import "../styles/form.css";
import { useRef, type ReactNode } from "react";
import { Link } from "wouter";
import { ApiError } from "../api/client";
import { places } from "../lib/places";
import { PageHead } from "../parts/parts";
import { strings } from "../strings";

interface Props {
  title: string;
  /** Sends it, if it is sound. */
  submit: () => void;
  action: string;
  /** The daemon has not answered yet: nothing is said to be done. */
  pending: boolean;
  error: Error | null;
  /** What to say where the daemon did not answer. */
  lost: string;
  /** Left of the buttons. */
  foot?: ReactNode;
  children: ReactNode;
}

export function FormPage({ title, submit, action, pending, error, lost, foot, children }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const send = (): void => {
    if (pending) return;
    submit();
    // What is wrong is shown in the next frame; the first of it comes into view.
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  };
  return (
    <div className="page page-form">
      <PageHead title={title} />
      <form
        ref={form}
        className="form"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          send();
        }}
        onKeyDown={(e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) send();
        }}
      >
        {children}
        {error !== null && (
          <div className="failure" role="alert">
            <p>{error instanceof ApiError && error.status === 0 ? lost : error.message}</p>
          </div>
        )}
        <div className="form-foot">
          {foot}
          <span className="toolbar-gap" />
          <Link to={places.overview} className="button">
            {strings.form.cancel}
          </Link>
          <button type="submit" className="button primary" disabled={pending} title={strings.form.submitKey}>
            {pending ? strings.form.creating : action}
          </button>
        </div>
      </form>
    </div>
  );
}
