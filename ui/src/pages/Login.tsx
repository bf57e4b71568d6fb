// The login: asks for the API key.

import "../styles/form.css";
import { useState } from "react";
import { ApiError, get, storeKey } from "../api/client";
import { Inline } from "../parts/parts";
import { strings } from "../strings";

interface Props {
  problem: string | null;
  opened: () => void;
}

export default function Login({ problem: first, opened }: Props) {
  const [key, setKey] = useState("");
  const [state, setState] = useState<"idle" | "checking">("idle");
  const [problem, setProblem] = useState(first);
  const submit = async (): Promise<void> => {
    setState("checking");
    setProblem(null);
    storeKey(key.trim());
    try {
      await get("/api/v1/status");
      opened();
    } catch (error) {
      storeKey(null);
      setProblem(
        error instanceof ApiError && error.status === 401
          ? strings.login.wrong
          : error instanceof Error
            ? error.message
            : String(error),
      );
      setState("idle");
    }
  };
  return (
    <main className="login">
      <form
        className="card login-card"
        onSubmit={(e) => {
          e.preventDefault();
          if (key.trim() !== "" && state === "idle") void submit();
        }}
      >
        <h1>{strings.login.title}</h1>
        <p>{strings.login.text}</p>
        <label className="field">
          <span>{strings.login.key}</span>
          <input
            type="password"
            autoComplete="current-password"
            value={key}
            autoFocus
            aria-invalid={problem !== null}
            aria-describedby="login-problem"
            onChange={(e) => setKey(e.target.value)}
          />
        </label>
        <p id="login-problem" className="field-problem" role="alert">
          {problem}
        </p>
        <button
          type="submit"
          className="button primary wide"
          disabled={state === "checking" || key.trim() === ""}
        >
          {state === "checking" ? strings.login.checking : strings.login.submit}
        </button>
        <p className="note">
          <Inline text={strings.login.hint} />
        </p>
      </form>
    </main>
  );
}
