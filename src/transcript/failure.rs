//! What went wrong with an agent's turn, and when it makes sense to try again.

use chrono::{DateTime, Duration, FixedOffset, Utc};

use super::wall_clock;
use crate::tree::event::{ErrorClass, WallClock, What};

/// What went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What kind of thing.
    pub class: ErrorClass,
    /// The agent's words.
    pub message: String,
    /// When to try again.
    pub retry_at: Option<DateTime<Utc>>,
    /// After how many seconds to try again.
    pub retry_after: Option<f64>,
    /// What a clock shows when to try again.
    pub retry_clock: Option<WallClock>,
}

impl Failure {
    /// What an event says of a failure; `None` if it tells of none.
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

    /// Before when it makes no sense to try again, as far as the agent said it at `said`, in the zone of its host.
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

    /// Whether anybody said when to try again.
    pub(super) fn says_when(&self) -> bool {
        self.retry_at.is_some() || self.retry_after.is_some() || self.retry_clock.is_some()
    }
}
