//! The stop ladder as a pure decision: SIGTERM, a grace period, then SIGKILL repeatedly until no process is left.
//!
//! 1. While the agent runs and no stop is requested: nothing.
//! 2. A stop is requested: SIGTERM to every process, then SIGKILL after the grace period.
//! 3. The agent ended by itself and left processes behind: the same, with at most a second of grace.
//! 4. SIGKILL is repeated, since a process may fork faster than it is killed. After a second it is repeated less
//!    often.
//! 5. A process that SIGKILL does not end within half a minute (it is stuck in the kernel) is reported as a
//!    survivor.

use std::time::{Duration, Instant};

/// Time between two rounds of SIGKILL, at first.
const ROUND: Duration = Duration::from_millis(20);
/// Time between two rounds after killing has lasted for [`FAST`]: the remaining processes are stuck in the kernel.
const SLOW_ROUND: Duration = Duration::from_millis(500);
const FAST: Duration = Duration::from_secs(1);
/// Period between two checks of a tree that was asked to end. Its end also wakes the shim by SIGCHLD.
const LOOK: Duration = Duration::from_millis(500);
/// Grace period of processes that an agent left behind.
const LEFTOVER_GRACE: Duration = Duration::from_secs(1);
/// Time after which the shim stops waiting for processes that cannot be killed.
const GIVE_UP: Duration = Duration::from_secs(30);

/// The stage of ending a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ladder {
    /// No stop is requested.
    Running,
    /// SIGTERM was sent; SIGKILL follows at this time.
    Terminating { kill_at: Instant },
    /// SIGKILL is sent repeatedly, at most until `give_up_at`.
    Killing { next_at: Instant, give_up_at: Instant },
}

/// The facts that the ladder decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) agent_ended: bool,
    /// Number of live processes below the shim, the agent included, the trees of other runs excluded.
    pub(super) processes: usize,
    pub(super) stop_asked: bool,
}

/// The action to take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// No action. Decide again at the next event, or at this time at the latest.
    Wait(Option<Instant>),
    /// Send SIGTERM to every process.
    Terminate,
    /// Send SIGKILL to every process.
    Kill,
    /// The run has ended.
    Finished,
}

impl Ladder {
    /// Decides the next step and moves on to it.
    pub(super) fn step(&mut self, now: Instant, grace: Duration, facts: Facts) -> Step {
        let nothing_left = facts.agent_ended && facts.processes == 0;
        match *self {
            _ if nothing_left => Step::Finished,
            Self::Running if facts.stop_asked => self.terminate(now + grace),
            Self::Running if facts.agent_ended => self.terminate(now + grace.min(LEFTOVER_GRACE)),
            Self::Running => Step::Wait(None),
            Self::Terminating { kill_at } if now < kill_at => Step::Wait(Some(kill_at.min(now + LOOK))),
            Self::Terminating { .. } => self.kill(now, now + GIVE_UP),
            Self::Killing { give_up_at, .. } if facts.agent_ended && now >= give_up_at => Step::Finished,
            Self::Killing { next_at, .. } if now < next_at => Step::Wait(Some(next_at)),
            Self::Killing { give_up_at, .. } => self.kill(now, give_up_at),
        }
    }

    fn terminate(&mut self, kill_at: Instant) -> Step {
        *self = Self::Terminating { kill_at };
        Step::Terminate
    }

    fn kill(&mut self, now: Instant, give_up_at: Instant) -> Step {
        let round = if now + GIVE_UP < give_up_at + FAST { ROUND } else { SLOW_ROUND };
        *self = Self::Killing { next_at: now + round, give_up_at };
        Step::Kill
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn facts(agent_ended: bool, processes: usize, stop_asked: bool) -> Facts {
        Facts { agent_ended, processes, stop_asked }
    }

    #[test]
    fn an_agent_that_ends_alone_needs_no_signal() {
        let now = Instant::now();
        let mut ladder = Ladder::Running;
        assert_eq!(ladder.step(now, GRACE, facts(false, 1, false)), Step::Wait(None));
        assert_eq!(ladder.step(now, GRACE, facts(true, 0, false)), Step::Finished);
    }

    #[test]
    fn a_stop_climbs_to_sigkill_and_repeats_it() {
        let now = Instant::now();
        let mut ladder = Ladder::Running;
        assert_eq!(ladder.step(now, GRACE, facts(false, 3, true)), Step::Terminate);
        let soon = now + Duration::from_secs(9);
        assert!(matches!(ladder.step(soon, GRACE, facts(false, 3, true)), Step::Wait(Some(_))));
        let late = now + GRACE;
        assert_eq!(ladder.step(late, GRACE, facts(true, 1, true)), Step::Kill);
        assert_eq!(ladder.step(late, GRACE, facts(true, 1, true)), Step::Wait(Some(late + ROUND)));
        assert_eq!(ladder.step(late + ROUND, GRACE, facts(true, 1, true)), Step::Kill);
        assert_eq!(ladder.step(late + ROUND, GRACE, facts(true, 0, true)), Step::Finished);
    }

    #[test]
    fn leftovers_get_a_second_and_survivors_half_a_minute() {
        let now = Instant::now();
        let mut ladder = Ladder::Running;
        assert_eq!(ladder.step(now, GRACE, facts(true, 1, false)), Step::Terminate);
        let second = now + LEFTOVER_GRACE;
        assert_eq!(ladder.step(second, GRACE, facts(true, 1, false)), Step::Kill);
        assert_eq!(ladder.step(second + GIVE_UP, GRACE, facts(true, 1, false)), Step::Finished);
    }

    #[test]
    fn a_stuck_agent_is_never_given_up() {
        let now = Instant::now();
        let mut ladder = Ladder::Killing { next_at: now, give_up_at: now };
        assert_eq!(ladder.step(now + GIVE_UP, GRACE, facts(false, 1, true)), Step::Kill);
    }

    #[test]
    fn rounds_of_sigkill_slow_down_after_a_second() {
        let now = Instant::now();
        let mut ladder = Ladder::Terminating { kill_at: now };
        let mut rounds = 0;
        for tick in 0..10_000 {
            let step = ladder.step(now + Duration::from_millis(tick), GRACE, facts(false, 1, true));
            rounds += usize::from(step == Step::Kill);
        }
        assert_eq!(rounds, 50 + 18);
    }
}
