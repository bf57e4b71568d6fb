//! The end of a loop's wait after a usage limit or an overloaded provider; such a restart does not count.
//!
//! A time that the agent reports takes precedence. Without one the loop waits for `restart_delay_max`, twice that
//! after the second such run in a row, and so on up to an hour. So a limit of hours does not cause hundreds of runs.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::Defaults,
    tree::{
        event::ErrorClass,
        run_info::{RunInfo, RunStatus},
    },
};

/// Maximum wait for a limit without a reported end.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// Returns the time of the next attempt from the last runs (newest first); `None` if the last run met no limit.
pub(super) fn until(past: &[RunInfo], settings: &Defaults, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let last = past.first().filter(|run| met_a_limit(run))?;
    if last.retry_at.is_some() {
        return last.retry_at;
    }
    let untold = past.iter().take_while(|run| met_a_limit(run) && run.retry_at.is_none()).count();
    let doublings = u32::try_from(untold - 1).unwrap_or(u32::MAX).min(20);
    let first = TimeDelta::from_std(settings.restart_delay_max).unwrap_or(LONGEST);
    let pause = first.checked_mul(1 << doublings).unwrap_or(LONGEST).min(LONGEST.max(first));
    last.end_time.unwrap_or(now).checked_add_signed(pause)
}

fn met_a_limit(run: &RunInfo) -> bool {
    matches!(run.status, RunStatus::Failed | RunStatus::Crashed)
        && matches!(run.error_class, Some(ErrorClass::UsageLimit | ErrorClass::Overload))
}
