// What stands beside the name of an agent.

import type { Agent } from "../api/types";
import { strings } from "../strings";

/** Its version, where it is installed; else why it cannot be called. */
export function agentNote(agent: Agent): string {
  if (agent.installed) return agent.version ?? "";
  return agent.needs_command ? strings.form.needsCommand : strings.form.notInstalled;
}
