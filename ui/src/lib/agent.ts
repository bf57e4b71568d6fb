// The note beside the name of an agent.

import type { Agent } from "../api/types";
import { strings } from "../strings";

/** Returns the version of a usable agent, else the reason why it is unusable. */
export function agentNote(agent: Agent): string {
  if (agent.usable) return agent.version ?? "";
  if (agent.installed) return strings.form.noCredentials;
  return agent.needs_command ? strings.form.needsCommand : strings.form.notInstalled;
}
