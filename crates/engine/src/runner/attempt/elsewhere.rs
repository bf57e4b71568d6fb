//! A run on another machine: its executor and its heartbeat tell whether it is still there.

use std::time::{Duration, Instant};

use crate::runner::{Runner, agent::executors, error::Result};
use process::executor::JobState;
use tree::{refs::RunRef, run_info::RunInfo};

/// A heartbeat has stopped when it has missed so many beats.
const MISSED: u32 = 3;

/// The signs of life of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signs {
    /// The time since the heartbeat was seen to change; `None` if there is none.
    heartbeat: Option<Duration>,
    /// The state of its job; `None` if its executor cannot be asked.
    job: Option<JobState>,
    /// The time since STOP was seen.
    stopping: Option<Duration>,
}

/// The decision about a run that is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Verdict {
    /// It is there, as far as is known.
    Wait,
    /// It was asked to stop and does not: its job is to be cancelled.
    Cancel,
    /// It is not there any more.
    Gone,
}

/// Decides about a run that is elsewhere.
///
/// 1. It is gone when its executor says so and its heartbeat has stopped. The executor alone may be mistaken, and a
///    silent run may only be cut off from the disk.
/// 2. A run that was asked to stop, and has not in its grace and the time of a heartbeat, is cancelled at its executor.
/// 3. Where no executor can be asked, a silent run that was asked to stop in vain counts as gone, so that a person can
///    end the wait.
fn decide(signs: Signs, stale: Duration, grace: Duration) -> Verdict {
    let silent = signs.heartbeat.is_none_or(|age| age > stale);
    let overdue = signs.stopping.is_some_and(|since| since > grace + stale);
    match signs.job {
        Some(JobState::Gone) if silent => Verdict::Gone,
        None if silent && overdue => Verdict::Gone,
        Some(JobState::Queued | JobState::Running) if overdue => Verdict::Cancel,
        _ => Verdict::Wait,
    }
}

/// The observations of one driver. The clocks of two machines differ, so the driver's own clock measures how long a
/// heartbeat has not changed.
#[derive(Debug, Default)]
pub(in crate::runner) struct Watch {
    beat: Option<(i128, Instant)>,
    stop_seen: Option<Instant>,
    cancelled: bool,
}

impl Watch {
    /// Looks at a run, and has its job cancelled where that is due. Returns the decision and the time until the next
    /// look.
    pub(in crate::runner) fn look(
        &mut self,
        runner: &Runner,
        run: &RunRef,
        info: &RunInfo,
        grace: Duration,
    ) -> Result<(Verdict, Duration)> {
        let (root, dir) = (runner.tree.root(), run.dir());
        let placed = executors::of(runner, &info.executor);
        let poll = placed.as_ref().map_or(Duration::from_secs(30), |placed| placed.poll);
        let beat = root.stat(&dir.heartbeat())?.map(|stat| stat.modified_ns);
        let now = Instant::now();
        self.beat = beat.map(|at| match self.beat {
            Some((last, since)) if last == at => (last, since),
            _ => (at, now),
        });
        let stop = root.is_file(&run.task.dir().stop())?;
        self.stop_seen = self.stop_seen.or(Some(now)).filter(|_| stop);
        let job = placed.as_ref().and_then(|placed| match placed.executor.find(root, dir.path()) {
            Ok(state) => Some(state),
            Err(e) => {
                tracing::debug!(run = %run, executor = %info.executor, error = %e, "cannot ask an executor about its job");
                None
            }
        });
        let signs = Signs {
            heartbeat: self.beat.map(|(_, since)| since.elapsed()),
            job,
            stopping: self.stop_seen.map(|since| since.elapsed()),
        };
        let period = executors::heartbeat(runner, &info.executor).unwrap_or(poll);
        let verdict = decide(signs, period * MISSED, grace);
        if let (Verdict::Cancel, Some(placed), false) = (verdict, &placed, self.cancelled) {
            match placed.executor.cancel(root, dir.path()) {
                Ok(()) => self.cancelled = true,
                Err(e) => tracing::warn!(run = %run, error = %e, "cannot cancel a job at its executor"),
            }
        }
        Ok((verdict, poll))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_in_its_order() {
        use JobState::{Gone, Queued, Running};
        let (stale, grace) = (Duration::from_secs(30), Duration::from_secs(10));
        let (fresh, old) = (Some(Duration::from_secs(5)), Some(Duration::from_secs(31)));
        let (early, late) = (Some(Duration::from_secs(40)), Some(Duration::from_secs(41)));
        for (heartbeat, job, stopping, verdict) in [
            // The executor says that it is gone.
            (fresh, Some(Gone), None, Verdict::Wait),
            (old, Some(Gone), None, Verdict::Gone),
            (None, Some(Gone), None, Verdict::Gone),
            (fresh, Some(Gone), late, Verdict::Wait),
            (old, Some(Gone), late, Verdict::Gone),
            // The executor says that it is there, whatever the heartbeat does.
            (fresh, Some(Running), None, Verdict::Wait),
            (old, Some(Running), None, Verdict::Wait),
            (None, Some(Queued), None, Verdict::Wait),
            (old, Some(Running), early, Verdict::Wait),
            (fresh, Some(Running), late, Verdict::Cancel),
            (old, Some(Queued), late, Verdict::Cancel),
            // No executor can be asked.
            (fresh, None, None, Verdict::Wait),
            (old, None, None, Verdict::Wait),
            (None, None, None, Verdict::Wait),
            (None, None, early, Verdict::Wait),
            (fresh, None, late, Verdict::Wait),
            (old, None, late, Verdict::Gone),
            (None, None, late, Verdict::Gone),
        ] {
            let signs = Signs { heartbeat, job, stopping };
            assert_eq!(decide(signs, stale, grace), verdict, "{signs:?}");
        }
    }
}
