//! Watches for a shim that is frozen: an agent may have sent SIGSTOP to it, so that no limit and no stop has an effect.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::runner::{Runner, error::Result};
use process::{identity::ProcessId, pidfd::PidFd};
use tree::refs::RunRef;

/// Period of the checks.
const LOOK: Duration = Duration::from_secs(30);
/// Period of the checks while the run is to stop and its shim was frozen.
const STOPPING: Duration = Duration::from_millis(200);

/// Period of the checks while the run is to stop. A shim that waits for the disk freezes only afterwards, so the first
/// check may find it at work.
const ASKED: Duration = Duration::from_secs(1);

/// The reaction to the state of a shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    /// It works.
    Nothing,
    /// It is frozen, and is to continue.
    Continue,
    /// It is frozen again and again although the grace has passed. The driver ends the run in its place.
    Kill,
}

/// Decides the reaction. `stopping` is the time for which the run is to stop.
fn decide(frozen: bool, stopping: Option<Duration>, grace: Duration) -> Reaction {
    match stopping {
        _ if !frozen => Reaction::Nothing,
        Some(stopping) if stopping > grace => Reaction::Kill,
        _ => Reaction::Continue,
    }
}

/// The observations of one driver.
#[derive(Debug, Default)]
pub(super) struct Watch {
    stop_seen: Option<Instant>,
    was_frozen: bool,
}

impl Watch {
    /// Looks at the shim of a live run. Returns the time until the next look.
    pub(super) fn look(
        &mut self,
        runner: &Runner,
        run: &RunRef,
        shim: ProcessId,
        grace: Duration,
    ) -> Result<Duration> {
        let stop = runner.tree.root().is_file(&run.task.dir().stop())?;
        self.stop_seen = self.stop_seen.or_else(|| Some(Instant::now())).filter(|_| stop);
        let frozen = shim.is_frozen();
        self.was_frozen |= frozen;
        let reaction = decide(frozen, self.stop_seen.map(|since| since.elapsed()), grace);
        let signal = match reaction {
            Reaction::Nothing => None,
            Reaction::Continue => Some(Signal::SIGCONT),
            Reaction::Kill => Some(Signal::SIGKILL),
        };
        if let (Some(signal), Some(handle)) = (signal, PidFd::open(shim)) {
            tracing::warn!(run = %run, signal = %signal, "the shim of a run is frozen");
            handle.send(signal);
        }
        Ok(match (stop, self.was_frozen) {
            (true, true) => STOPPING,
            (true, false) => ASKED,
            (false, _) => LOOK,
        })
    }
}

/// Continues the frozen shim of a run that has no driver. Returns false if it is not frozen.
pub(in crate::runner) fn wake(shim: ProcessId) -> bool {
    let Some(handle) = PidFd::open(shim).filter(|_| shim.is_frozen()) else { return false };
    handle.send(Signal::SIGCONT);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_frozen_shim_is_signalled_and_killed_only_after_the_grace_of_a_stop() {
        let (grace, second) = (Duration::from_secs(10), Duration::from_secs(1));
        for (frozen, stopping, reaction) in [
            (false, None, Reaction::Nothing),
            (false, Some(grace + second), Reaction::Nothing),
            (true, None, Reaction::Continue),
            (true, Some(grace), Reaction::Continue),
            (true, Some(grace + second), Reaction::Kill),
        ] {
            assert_eq!(decide(frozen, stopping, grace), reaction, "{frozen} {stopping:?}");
        }
    }
}
