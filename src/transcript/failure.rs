//! The failure of an agent's turn, and the time when a retry makes sense.

use chrono::{DateTime, Duration, FixedOffset, Utc};

use super::wall_clock;
use crate::tree::event::{ErrorClass, WallClock, What};

/// A failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The class of the failure.
    pub class: ErrorClass,
    /// The agent's message.
    pub message: String,
    /// Time of the retry.
    pub retry_at: Option<DateTime<Utc>>,
    /// Seconds until the retry.
    pub retry_after: Option<f64>,
    /// The clock time of the retry.
    pub retry_clock: Option<WallClock>,
}

impl Failure {
    /// Returns the failure in an event; `None` if the event is not a failure.
    #[must_use]
    pub fn of(what: &What) -> Option<Self> {
        let What::Error { class, message, retry_at, retry_after, retry_clock, .. } = what else {
            return None;
        };
        Some(Self {
            class: *class,
            message: message.clone(),
            retry_at: *retry_at,
            retry_after: *retry_after,
            retry_clock: retry_clock.clone(),
        })
    }

    /// Returns the time before which a retry makes no sense, as far as the agent reported it. `said` is the time of the
    /// report, in the zone of the agent's host.
    #[must_use]
    pub fn not_before(&self, said: DateTime<FixedOffset>) -> Option<DateTime<Utc>> {
        let after = |seconds: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float is cast to the nearest number that fits"
            )]
            let wait = Duration::try_milliseconds((seconds * 1000.0).ceil() as i64)?;
            said.to_utc().checked_add_signed(wait)
        };
        let clock = || wall_clock::moment(self.retry_clock.as_ref()?, said);
        self.retry_at.or_else(|| after(self.retry_after?)).or_else(clock)
    }

    /// Returns true if the failure has any time for a retry.
    pub(super) fn says_when(&self) -> bool {
        self.retry_at.is_some() || self.retry_after.is_some() || self.retry_clock.is_some()
    }
}
