//! The time: the only module that reads the machine's clock, so that tests can set the time.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, FixedOffset, Local, SecondsFormat, Utc};

/// A source of the current time. Cheap to clone; clones of a manual clock move together.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock, which may jump.
    #[default]
    System,
    /// A clock that a test sets.
    Manual(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// Creates a clock that stands still until it is moved.
    #[must_use]
    pub fn manual(now: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(Mutex::new(now)))
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Manual(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Returns a time in the machine's time zone; in UTC for a manual clock.
    #[must_use]
    pub fn on_the_wall(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        match self {
            Self::System => at.with_timezone(&Local).fixed_offset(),
            Self::Manual(_) => at.fixed_offset(),
        }
    }

    /// Moves a manual clock, backwards too. The machine's clock is not moved.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(at) = self {
            *at.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

/// Spells a time as all our files and answers do: RFC 3339, UTC, microseconds.
#[must_use]
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
