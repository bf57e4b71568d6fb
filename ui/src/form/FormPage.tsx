// A page with a form: its fields, the error and the buttons.

import "../styles/form.css";
import { useRef, type ReactNode } from "react";
import { Link } from "wouter";
import { ApiError } from "../api/client";
import { places } from "../lib/places";
import { PageHead } from "../parts/parts";
import { strings } from "../strings";

interface Props {
  title: string;
  /** Sends the form if it is valid. */
  submit: () => void;
  action: string;
  /** True until the daemon has answered. */
  pending: boolean;
  error: Error | null;
  /** The text for a request without an answer. */
  lost: string;
  /** Content to the left of the buttons. */
  foot?: ReactNode;
  children: ReactNode;
}

export function FormPage({ title, submit, action, pending, error, lost, foot, children }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const send = (): void => {
    if (pending) return;
    submit();
    // The errors appear in the next frame; the first one is scrolled into view.
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
