//! The failure of an agent's turn, and the time when a retry makes sense.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::event::{ErrorClass, EventKind, WallClock};

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
    pub fn of(kind: &EventKind) -> Option<Self> {
        let EventKind::Error { class, message, retry_at, retry_after, retry_clock, .. } = kind else {
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
        let clock = || moment_of(self.retry_clock.as_ref()?, said);
        self.retry_at.or_else(|| after(self.retry_after?)).or_else(clock)
    }

    /// Returns true if the failure has any time for a retry.
    pub(super) fn says_when(&self) -> bool {
        self.retry_at.is_some() || self.retry_after.is_some() || self.retry_clock.is_some()
    }
}

/// A time of the day that passed less than this ago means today, not tomorrow: it has just come.
const JUST_COME: Duration = Duration::minutes(15);
/// A date without a year that passed longer than this ago means the next year.
const THIS_YEAR: Duration = Duration::days(30);

/// Returns the moment that a clock time means if it was printed at `said`, in the zone of the agent's host. `None` if
/// there is no such time, or no such zone.
fn moment_of(clock: &WallClock, said: DateTime<FixedOffset>) -> Option<DateTime<Utc>> {
    match &clock.zone {
        Some(name) => {
            let zone: Tz = name.parse().ok()?;
            on_clock(&zone, meant(clock, said.with_timezone(&zone).naive_local())?)
        }
        None => on_clock(said.offset(), meant(clock, said.naive_local())?),
    }
}

/// Returns the local date and time that the clock time means.
fn meant(clock: &WallClock, now: NaiveDateTime) -> Option<NaiveDateTime> {
    let on = |date: NaiveDate| date.and_hms_opt(clock.hour, clock.minute, 0);
    let (Some(month), Some(day)) = (clock.month, clock.day) else {
        let today = on(now.date())?;
        let passed = today.checked_add_signed(JUST_COME)?.cmp(&now) == Ordering::Less;
        return if passed { on(now.date().succ_opt()?) } else { Some(today) };
    };
    let in_year = |year| on(NaiveDate::from_ymd_opt(year, month, day)?);
    if let Some(year) = clock.year {
        return in_year(year);
    }
    let this_year = in_year(now.year()).filter(|t| t.checked_add_signed(THIS_YEAR).is_some_and(|t| t >= now));
    this_year.or_else(|| in_year(now.year() + 1))
}

/// Converts a local time. If clocks are set back, the first of the two times counts; a time that clocks skip moves by
/// an hour.
fn on_clock<Z: TimeZone>(zone: &Z, shown: NaiveDateTime) -> Option<DateTime<Utc>> {
    let there = |shown| zone.from_local_datetime(&shown).earliest().map(|t| t.to_utc());
    there(shown).or_else(|| there(shown.checked_add_signed(Duration::hours(1))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_such_time_is_meant() {
        let clock =
            |time: (u32, u32), date: (Option<i32>, Option<u32>, Option<u32>), zone: Option<&str>| WallClock {
                hour: time.0,
                minute: time.1,
                day: date.2,
                month: date.1,
                year: date.0,
                zone: zone.map(str::to_owned),
            };
        let no_date = (None, None, None);
        let berlin = Some("Europe/Berlin");
        let table = [
            (
                "later today, on the host",
                "2026-11-22T10:00:00-05:00",
                clock((15, 42), no_date, None),
                Some("2026-11-22T20:42:00Z"),
            ),
            (
                "tomorrow",
                "2026-11-22T16:00:00-05:00",
                clock((15, 42), no_date, None),
                Some("2026-11-23T20:42:00Z"),
            ),
            (
                "it has just come",
                "2026-11-22T15:50:00-05:00",
                clock((15, 42), no_date, None),
                Some("2026-11-22T20:42:00Z"),
            ),
            (
                "another zone, where it is tomorrow",
                "2026-11-22T23:30:00Z",
                clock((3, 0), no_date, berlin),
                Some("2026-11-23T02:00:00Z"),
            ),
            ("summer", "2026-07-01T00:00:00Z", clock((3, 0), no_date, berlin), Some("2026-07-01T01:00:00Z")),
            (
                "leapt over",
                "2026-03-28T23:30:00Z",
                clock((2, 30), no_date, berlin),
                Some("2026-03-29T01:30:00Z"),
            ),
            ("twice", "2026-10-24T23:00:00Z", clock((2, 30), no_date, berlin), Some("2026-10-25T00:30:00Z")),
            (
                "a whole date",
                "2026-06-05T00:00:00Z",
                clock((20, 19), (Some(2026), Some(7), Some(5)), None),
                Some("2026-07-05T20:19:00Z"),
            ),
            (
                "this year",
                "2026-09-08T00:00:00Z",
                clock((19, 0), (None, Some(9), Some(15)), None),
                Some("2026-09-15T19:00:00Z"),
            ),
            (
                "next year",
                "2026-12-30T00:00:00Z",
                clock((10, 0), (None, Some(1), Some(2)), None),
                Some("2027-01-02T10:00:00Z"),
            ),
            ("no such day", "2026-01-01T00:00:00Z", clock((10, 0), (None, Some(2), Some(30)), None), None),
            ("no such hour", "2026-01-01T00:00:00Z", clock((24, 0), no_date, None), None),
            ("no such zone", "2026-01-01T00:00:00Z", clock((3, 0), no_date, Some("Middle/Earth")), None),
        ];
        for (kind, said, clock, expected) in table {
            let said = DateTime::parse_from_rfc3339(said).unwrap();
            let expected = expected.map(|t| DateTime::parse_from_rfc3339(t).unwrap().to_utc());
            assert_eq!(moment_of(&clock, said), expected, "{kind}");
        }
    }
}
