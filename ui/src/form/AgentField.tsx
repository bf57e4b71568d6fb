// The choice of an agent: usable agents come first.

import type { Agent } from "../api/types";
import { agentNote } from "../lib/agent";
import { strings } from "../strings";
import { Field } from "./Field";

interface Props {
  agents: Agent[];
  value: string;
  problem: string | null;
  change: (agent: string) => void;
}

export function AgentField({ agents, value, problem, change }: Props) {
  const chosen = agents.find((a) => a.name === value);
  const unusable = chosen?.problem === undefined ? null : `${strings.form.agentProblem} ${chosen.problem}`;
  return (
    <Field label={strings.form.agent} problem={problem ?? unusable}>
      {(p) => (
        <select {...p} value={value} onChange={(e) => change(e.target.value)}>
          {value === "" && <option value="" />}
          {agents
            .filter((a) => !a.needs_command || a.name === value)
            .sort((a, b) => Number(b.usable) - Number(a.usable))
            .map((a) => (
              <option key={a.name} value={a.name}>
                {a.name}
                {a.usable ? ` ${agentNote(a)}` : ` (${agentNote(a)})`}
              </option>
            ))}
        </select>
      )}
    </Field>
  );
}
