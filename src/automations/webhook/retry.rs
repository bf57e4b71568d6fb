//! The schedule for retrying a webhook: after a pause that doubles, for three days.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::tree::outbox::Delivery;

/// The first pause.
pub const FIRST: Duration = Duration::from_secs(5);
/// The longest pause.
pub(super) const LONGEST: Duration = Duration::from_hours(1);
/// Age at which a notification is dropped, because it no longer matters.
const TOO_OLD: TimeDelta = TimeDelta::days(3);

/// Returns the pause after the nth failed attempt.
pub(super) fn pause(first: Duration, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(LONGEST)
}

pub(super) fn is_too_old(delivery: &Delivery, now: DateTime<Utc>) -> bool {
    now - delivery.created_at > TOO_OLD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds = |n| pause(FIRST, n).as_secs();
        assert_eq!([1, 2, 3, 4, 10, 11, 60, u32::MAX].map(seconds), [5, 10, 20, 40, 2560, 3600, 3600, 3600]);
    }
}
