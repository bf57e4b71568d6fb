// A status icon: its shape and its colour both show the status.

import {
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CircleHelp,
  CirclePause,
  CircleStop,
  CircleX,
  LoaderCircle,
} from "lucide-react";
import { memo } from "react";
import type { RunStatus, TaskStatus } from "../api/types";
import { strings } from "../strings";

const SIGNS = {
  queued: CircleDashed,
  blocked: CirclePause,
  running: LoaderCircle,
  completed: CircleCheck,
  failed: CircleX,
  stopped: CircleStop,
  idle: CircleDot,
  created: CircleDashed,
  crashed: CircleAlert,
  unknown: CircleHelp,
} satisfies Record<TaskStatus | RunStatus, unknown>;

interface Props {
  status: TaskStatus | RunStatus;
  size?: number;
}

export const StateIcon = memo(function StateIcon({ status, size = 16 }: Props) {
  const Sign = SIGNS[status] ?? CircleHelp;
  return (
    <span className={`state state-${status}`} role="img" aria-label={strings.status[status] ?? status}>
      <Sign size={size} aria-hidden />
    </span>
  );
});

export function StateWord({ status }: { status: TaskStatus | RunStatus }) {
  return (
    <span className={`word state-${status}`}>
      <StateIcon status={status} size={14} />
      <span aria-hidden>{strings.status[status] ?? status}</span>
    </span>
  );
}
