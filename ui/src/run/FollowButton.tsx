// The button to follow new output or to pause.

import { Pause, Play } from "lucide-react";
import type { WheelEvent } from "react";
import { strings } from "../strings";

interface Props {
  follow: boolean;
  pause: () => void;
  resume: () => void;
}

export function FollowButton({ follow, pause, resume }: Props) {
  const Icon = follow ? Pause : Play;
  return (
    <button type="button" className="button small" aria-pressed={follow} onClick={follow ? pause : resume}>
      <Icon size={14} aria-hidden />
      {follow ? strings.log.pause : strings.log.follow}
    </button>
  );
}

/** Handlers for a list of lines that pause it when the user scrolls up. */
export function pausedBy(pause: () => void) {
  return {
    onWheel: (e: WheelEvent) => {
      if (e.deltaY < 0) pause();
    },
    onTouchMove: pause,
  };
}
