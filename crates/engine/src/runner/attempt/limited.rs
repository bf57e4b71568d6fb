//! Handles an agent of a loop that waits out a usage limit, or an overload, by itself. After `limit_patience` its run
//! is ended. The loop then waits instead, which is visible to users and frees the place for others.
//!
//! 1. If there were only refusals for that long, or one that names a longer wait, the run's shim is asked to end the
//!    run.
//! 2. A single run (`job`) is left alone, because no loop would start it again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::runner::{Runner, error::Result};
use base::fsx::{FsError, Stat, if_file};
use tree::{
    refs::RunRef,
    run_info::RunInfo,
    transcript::{Failure, Refusals, refusal_on_stderr},
};

/// Size of the end of standard error that is searched: an agent may print long stack traces there.
const TAIL: u64 = 16 * 1024;

/// The state of a live run that may be waiting.
#[derive(Debug, Default)]
pub(in crate::runner) struct LimitWatch {
    waiting: Option<Waiting>,
    asked: bool,
}

/// An agent that waits.
#[derive(Debug)]
struct Waiting {
    /// The time since when it does nothing else.
    since: DateTime<Utc>,
    refusal: Failure,
    /// The time when the refusal was printed.
    said: DateTime<Utc>,
}

impl LimitWatch {
    /// Asks for the end of the run if it is time; without `patience` it never is. Returns the time during which
    /// nothing can change without a hint; `None` if that is for ever.
    pub(in crate::runner) fn look(
        &mut self,
        runner: &Runner,
        run: &RunRef,
        refusal: Option<Failure>,
        patience: Option<Duration>,
    ) -> Result<Option<Duration>> {
        let Some(refusal) = refusal else {
            self.waiting = None;
            return Ok(None);
        };
        let now = runner.tree.clock().now();
        let before = self.waiting.take();
        let since = before.as_ref().map_or(now, |w| w.since);
        // The same words again may be the same line, so the earlier time is kept.
        let said = before.filter(|w| w.refusal == refusal).map_or(now, |w| w.said);
        let told = refusal.not_before(runner.tree.clock().on_the_wall(said));
        self.waiting = Some(Waiting { since, refusal, said });
        let Some(patience) = patience.filter(|_| !self.asked) else { return Ok(None) };
        let left = left(since, now, patience, told);
        if left.is_zero() {
            let line = format!("{}\n", json!({"type": "usage_limit"})).into_bytes();
            runner.tree.root().append(&run.dir().inbox(), |_| Ok::<_, FsError>((line, ())))?;
            self.asked = true;
        }
        Ok(Some(left).filter(|left| !left.is_zero()))
    }
}

/// Returns the remaining time of an agent that has waited since `since` and has announced to try again at `told`.
fn left(
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    patience: Duration,
    told: Option<DateTime<Utc>>,
) -> Duration {
    let end = TimeDelta::from_std(patience).ok().and_then(|p| since.checked_add_signed(p));
    let end = end.unwrap_or(DateTime::<Utc>::MAX_UTC);
    if told.is_some_and(|told| told > end) {
        return Duration::ZERO;
    }
    (end - now).to_std().unwrap_or(Duration::ZERO)
}

/// Returns the refusal that a run's agent is waiting out, from its stream, or from standard error for agents that
/// report it only there.
pub(in crate::runner) fn refusal(
    runner: &Runner,
    run: &RunRef,
    info: &RunInfo,
    refusals: &Refusals,
) -> Result<Option<Failure>> {
    if let Some(refusal) = refusals.last() {
        return Ok(Some(refusal.clone()));
    }
    let dialect = agents::dialect_of(info);
    if !dialect.refuses_on_stderr() {
        return Ok(None);
    }
    let root = runner.tree.root();
    let (said, errors) = (root.stat(&run.dir().stdout())?, root.stat(&run.dir().stderr())?);
    // Later output on stdout means that the agent is not waiting any more.
    let since = |errors: &Stat| said.as_ref().is_none_or(|s| s.modified_ns <= errors.modified_ns);
    let Some(len) = errors.filter(since).map(|e| e.len) else { return Ok(None) };
    let Some(file) = if_file(root.open_read(&run.dir().stderr()))? else { return Ok(None) };
    let tail = file.read_range(len.saturating_sub(TAIL), len)?;
    Ok(refusal_on_stderr(dialect, &String::from_utf8_lossy(&tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_or_is_not_even_begun() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let minute = Duration::from_mins(1);
        for (now, patience, told, expected) in [
            (0, minute, None, 60),
            (59, minute, None, 1),
            (60, minute, None, 0),
            (999, minute, None, 0),
            (0, minute, Some(60), 60),
            (0, minute, Some(61), 0),
            (50, minute, Some(40), 10),
            (0, Duration::ZERO, None, 0),
        ] {
            let left = left(at(0), at(now), patience, told.map(at));
            assert_eq!(left, Duration::from_secs(expected), "{now} {patience:?} {told:?}");
        }
        // A duration beyond the range of the calendar.
        assert!(left(at(0), at(9), Duration::MAX, None) > minute);
    }
}
