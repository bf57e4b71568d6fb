// What stands beside the name of an agent.

import type { Agent } from "../api/types";
import { strings } from "../strings";

/** The version of an agent that can be used; else why it cannot. */
export function agentNote(agent: Agent): string {
  if (agent.usable) return agent.version ?? "";
  if (agent.installed) return strings.form.noCredentials;
  return agent.needs_command ? strings.form.needsCommand : strings.form.notInstalled;
}
