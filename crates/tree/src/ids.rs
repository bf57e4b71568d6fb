//! Identifiers: a text becomes a path segment only by being parsed into one of these types.

use std::{
    fmt,
    ops::Range,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};

/// The longest identifier, in characters.
pub const MAX_ID: usize = 128;

/// The reason why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a valid {kind} id: {problem}", text.escape_debug())]
pub struct BadId {
    /// The kind of thing that the text should name: "project", "task", "run", "message", "ticket".
    pub kind: &'static str,
    /// The text, cut to a printable length.
    pub text: String,
    /// The problem with the text.
    pub problem: &'static str,
}

fn check(kind: &'static str, text: &str) -> Result<(), BadId> {
    let problem = if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_ID {
        "it is longer than 128 characters"
    } else if text.starts_with(['_', '-']) {
        "it starts with '_' or '-'"
    } else if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        "only letters, digits, '_' and '-' are allowed"
    } else {
        return Ok(());
    };
    Err(BadId { kind, text: text.chars().take(40).collect(), problem })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $pattern:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// Returns the identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                $check($kind, text)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Names a project: a folder of the root.
    ProjectId, "project", "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$", check
);
id!(
    /// Names a task: a folder of its project.
    TaskId, "task", "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$", check
);
id!(
    /// Names a run: `YYYYMMDD-HHMMSSffff-PID-SEQ`. Imported trees may have others.
    RunId, "run", "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$", check
);
id!(
    /// Names a message: `MSG-YYYYMMDD-HHMMSS-NNNNNNNNN-PIDNNNNN-NNNN`, or `@<offset>` for a line that was written by
    /// hand without an id.
    MsgId, "message", "^(@[0-9]{1,19}|[A-Za-z0-9][A-Za-z0-9_-]{0,127})$", check_message
);
id!(
    /// Names a ticket: 20 digits, in order of acceptance.
    TicketId, "ticket", "^[0-9]{20}$", check_ticket
);

fn check_message(kind: &'static str, text: &str) -> Result<(), BadId> {
    match text.strip_prefix('@') {
        Some(digits)
            if !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Ok(())
        }
        Some(_) => Err(BadId {
            kind,
            text: text.chars().take(40).collect(),
            problem: "'@' is followed by a byte offset",
        }),
        None => check(kind, text),
    }
}

fn check_ticket(kind: &'static str, text: &str) -> Result<(), BadId> {
    if text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(())
    } else {
        Err(BadId { kind, text: text.chars().take(40).collect(), problem: "it is not 20 digits" })
    }
}

impl TaskId {
    /// Generates the id of a task created without one: `task-YYYYMMDD-HHMMSS-<slug>`.
    #[must_use]
    pub fn generate(now: DateTime<Utc>, prompt: &str) -> Self {
        let mut slug = slug(prompt, 40);
        if slug.is_empty() {
            "untitled".clone_into(&mut slug);
        }
        Self(format!("task-{}-{slug}", now.format("%Y%m%d-%H%M%S")))
    }

    /// Appends a number to the id, for use when the id itself is taken.
    #[must_use]
    pub fn numbered(&self, n: u32) -> Self {
        Self(format!("{}-{n}", self.0))
    }
}

impl ProjectId {
    /// Makes a project id from a folder's name; `None` if no character of the name is allowed in an id.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        slug(name, 60).parse().ok()
    }

    /// Appends a number to the id, for use when the id itself is taken.
    #[must_use]
    pub fn numbered(&self, n: u32) -> Self {
        Self(format!("{}-{n}", self.0))
    }
}

impl RunId {
    /// Generates a run id. Ids sort by time, and by sequence within one process and instant.
    #[must_use]
    pub fn generate(now: DateTime<Utc>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let seq = NEXT.fetch_add(1, Ordering::Relaxed);
        let ffff = now.nanosecond() % 1_000_000_000 / 100_000;
        Self(format!("{}{ffff:04}-{}-{seq:04}", now.format("%Y%m%d-%H%M%S"), std::process::id()))
    }

    /// Generates the id of a run that comes after `last` in its task, even if the clock has stepped back since.
    #[must_use]
    pub fn after(now: DateTime<Utc>, last: Option<&RunId>) -> Self {
        let behind = last.and_then(RunId::time).map(|time| time + TimeDelta::microseconds(100));
        Self::generate(behind.filter(|behind| behind.year() < 10_000).map_or(now, |behind| behind.max(now)))
    }

    /// Returns the time in an id that this program made, to a ten-thousandth of a second.
    fn time(&self) -> Option<DateTime<Utc>> {
        let (date, rest) = self.0.split_once('-')?;
        let (time, fraction) = rest.split_once('-')?.0.split_at_checked(6)?;
        let at = NaiveDateTime::parse_from_str(&format!("{date}{time}"), "%Y%m%d%H%M%S").ok()?.and_utc();
        let fraction: i64 = fraction.parse().ok().filter(|_| fraction.len() == 4)?;
        Some(at + TimeDelta::microseconds(fraction * 100))
    }
}

impl MsgId {
    /// Returns the id of a message posted at `now`, larger than `last`. Its time part alone decides the order.
    #[must_use]
    pub fn after(now: DateTime<Utc>, last: Option<&MsgId>) -> Self {
        let behind = last.and_then(MsgId::time).map(|t| t + TimeDelta::nanoseconds(1));
        // A year has four digits here. An id written by hand with the last nanosecond of the year 9999 is ignored.
        let at = behind.filter(|b| b.year() < 10_000).map_or(now, |b| b.max(now));
        let pid = std::process::id() % 100_000;
        Self(format!("{}PID{pid:05}-0001", time_part(at)))
    }

    /// Returns the time part of an id that this program made.
    #[must_use]
    pub fn time(&self) -> Option<DateTime<Utc>> {
        fn number<T: FromStr>(text: &str, at: Range<usize>) -> Option<T> {
            text.get(at)?.parse().ok()
        }
        let text = self.0.as_str();
        let date = NaiveDate::from_ymd_opt(number(text, 4..8)?, number(text, 8..10)?, number(text, 10..12)?)?;
        let (hour, minute, second) = (number(text, 13..15)?, number(text, 15..17)?, number(text, 17..19)?);
        let at = date.and_hms_nano_opt(hour, minute, second, number(text, 20..29)?)?.and_utc();
        // Only ids in this exact spelling sort in the order of their times.
        self.0.starts_with(&time_part(at)).then_some(at)
    }

    /// Returns the id of a line without an id: its byte offset.
    #[must_use]
    pub fn at_offset(offset: u64) -> Self {
        Self(format!("@{offset}"))
    }

    /// Returns the byte offset of an id made by [`MsgId::at_offset`].
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.strip_prefix('@')?.parse().ok()
    }
}

impl TicketId {
    /// Returns the id after `last`.
    #[must_use]
    pub fn after(last: Option<&TicketId>) -> Self {
        let n = last.and_then(|t| t.0.parse::<u64>().ok()).map_or(1, |n| n.saturating_add(1));
        Self(format!("{n:020}"))
    }
}

/// Returns the first part of a message id.
fn time_part(at: DateTime<Utc>) -> String {
    let (y, mo, d) = (at.year(), at.month(), at.day());
    let (h, mi, s) = (at.hour(), at.minute(), at.second());
    format!("MSG-{y:04}{mo:02}{d:02}-{h:02}{mi:02}{s:02}-{:09}-", at.nanosecond() % 1_000_000_000)
}

/// Returns the lower-case words of a text, joined by dashes, at most `max` characters.
fn slug(text: &str, max: usize) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if slug.len() >= max {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use chrono::SubsecRound;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_ids_say_what_is_wrong() {
        let long = "a".repeat(129);
        for (text, problem) in [
            ("", "empty"),
            ("..", "only letters"),
            ("a/b", "only letters"),
            ("a\0", "only letters"),
            ("_planner", "starts with"),
            ("-x", "starts with"),
            ("ünder", "only letters"),
            (long.as_str(), "longer than 128"),
        ] {
            let error = text.parse::<ProjectId>().unwrap_err();
            assert!(error.problem.contains(problem), "{text:?}: {error}");
            assert!(!error.to_string().contains('\0'));
        }
        assert!("a".repeat(128).parse::<TaskId>().is_ok());
    }

    #[test]
    fn a_run_sorts_after_the_last_one_although_the_clock_stepped_back() {
        let now = DateTime::from_timestamp(1_790_000_000, 123_456_789).unwrap();
        let last = RunId::generate(now);
        assert_eq!(last.time(), Some(now.trunc_subsecs(4)));
        for back in [0, 1, 3600, 40 * 365 * 86_400] {
            let next = RunId::after(now - TimeDelta::seconds(back), Some(&last));
            assert!(next > last && next.as_str().parse::<RunId>().is_ok(), "{next} {last}");
        }
        let later = RunId::after(now + TimeDelta::days(1), Some(&last));
        assert_eq!(later.time(), Some((now + TimeDelta::days(1)).trunc_subsecs(4)));
        for odd in ["mine", "20260205-100001-1-0001", "99999999-9999999999-1-0001"] {
            assert_eq!(odd.parse::<RunId>().unwrap().time(), None, "{odd}");
        }
    }

    #[test]
    fn generated_ids_parse_and_sort_by_time() {
        let now = Utc::now();
        let first = RunId::generate(now);
        let second = RunId::generate(now + TimeDelta::milliseconds(1));
        assert!(first < second, "{first} {second}");
        assert!(first.as_str().parse::<RunId>().is_ok());
        let task = TaskId::generate(now, "Fix the *auth* tests, please: all of them, in every crate");
        assert!(task.as_str().ends_with("-fix-the-auth-tests-please-all-of-them-in"), "{task}");
    }

    #[test]
    fn tickets_count_up() {
        let first = TicketId::after(None);
        assert_eq!(first.as_str(), "00000000000000000001");
        assert!(TicketId::after(Some(&first)) > first);
    }

    #[test]
    fn only_ids_that_sort_by_time_tell_a_time() {
        for (text, tells) in [
            ("MSG-20260205-100001-000000001-PID00001-0001", true),
            ("MSG-20260205-100001-000000001-", true),
            ("MSG-20260205-235960-000000001-PID00001-0001", false),
            ("MSG-20260205-100001-1-PID00001-0001", false),
            ("MSG-20260205-100001-1000000000-PID00001-0001", false),
            ("MSG-20261305-100001-000000001-PID00001-0001", false),
            ("MSG-001", false),
            ("@7", false),
        ] {
            assert_eq!(text.parse::<MsgId>().unwrap().time().is_some(), tells, "{text}");
        }
        let end: MsgId = "MSG-99991231-235959-999999999-PID00001-0001".parse().unwrap();
        let next = MsgId::after(Utc::now(), Some(&end));
        assert!(next.time().is_some() && next.as_str().parse::<MsgId>().is_ok(), "{next}");
    }

    proptest! {
        #[test]
        fn message_ids_increase_whatever_the_clock_does(steps in proptest::collection::vec(-5_000_000_000_i64..5_000_000_000, 1..50)) {
            let mut now = Utc::now();
            let mut last: Option<MsgId> = None;
            for step in steps {
                now += TimeDelta::nanoseconds(step);
                let next = MsgId::after(now, last.as_ref());
                prop_assert!(next.time().is_some());
                prop_assert!(last.as_ref().is_none_or(|l| next > *l));
                last = Some(next);
            }
        }
    }
}
