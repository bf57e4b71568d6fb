//! Extracts the time of a retry from the text of a refusal.
//!
//! The phrases are quoted in public issues of the agents: openai/codex 88, 3899, 26668; anthropics/claude-code 6119,
//! 11429, 92834; google-gemini/gemini-cli 13004. The others come from the providers' own answers: `retryDelay` of
//! google.rpc.RetryInfo, `resets_in_seconds` of the ChatGPT backend.

use chrono::{DateTime, Utc};

use super::words::{Words, leading_number};
use crate::event::WallClock;

/// A day in seconds.
const DAY: f64 = 86_400.0;
/// The longest time to wait that is accepted, in seconds.
const LONGEST: f64 = 400.0 * DAY;

/// The time of a retry, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retry {
    /// At this time.
    pub at: Option<DateTime<Utc>>,
    /// After this number of seconds.
    pub after: Option<f64>,
    /// At this clock time.
    pub clock: Option<WallClock>,
}

impl Retry {
    /// After so many seconds; nothing if that is no sensible time.
    #[must_use]
    pub fn after(seconds: f64) -> Self {
        let after = (seconds.is_finite() && (0.0..=LONGEST).contains(&seconds)).then_some(seconds);
        Self { after, ..Self::default() }
    }

    /// At so many seconds, or milliseconds, since 1970; nothing if that is no sensible time.
    #[must_use]
    pub fn at_epoch(number: i64) -> Self {
        let seconds = if number > 100_000_000_000 { number / 1000 } else { number };
        // From 2001 to 2286: ten digits.
        let sensible = (1_000_000_000..10_000_000_000).contains(&seconds);
        Self { at: sensible.then(|| DateTime::from_timestamp(seconds, 0)).flatten(), ..Self::default() }
    }

    /// The time of an HTTP `retry-after`: seconds, or a date (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn of_header(value: &str) -> Self {
        match (value.trim().parse::<f64>(), DateTime::parse_from_rfc2822(value.trim())) {
            (Ok(seconds), _) => Self::after(seconds),
            (_, Ok(date)) => Self { at: Some(date.to_utc()), ..Self::default() },
            _ => Self::default(),
        }
    }

    /// Extracts the time from text.
    pub(super) fn of(words: &Words) -> Self {
        epoch(words)
            .or_else(|| duration(words))
            .or_else(|| words.behind(CLOCK_MARKS).find_map(moment))
            .unwrap_or_default()
    }

    /// Returns true if a time is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.at.is_some() || self.after.is_some() || self.clock.is_some()
    }
}

const EPOCH_MARKS: &[&str] = &["reached|", "resets_at:", "resetsat:", "reset_at:", "resets_at=", "reset-at:"];
const DURATION_MARKS: &[&str] = &[
    "try again in ",
    "retry in ",
    "retrying in ",
    "retrying after ",
    "retry after ",
    "retry-after:",
    "retry_after:",
    "retrydelay:",
    "reset after ",
    "resets in ",
    "reset in ",
    "resets_in_seconds:",
];
const CLOCK_MARKS: &[&str] = &[
    "resets at ",
    "reset at ",
    "resets on ",
    "reset on ",
    "resets ",
    "try again at ",
    "try again on ",
    "regain access on ",
];

fn epoch(words: &Words) -> Option<Retry> {
    let number = |text: &str| {
        let digits = text.trim_start().bytes().take_while(u8::is_ascii_digit).count();
        Some(Retry::at_epoch(text.trim_start()[..digits].parse().ok()?)).filter(Retry::is_known)
    };
    words.behind(EPOCH_MARKS).find_map(number)
}

fn duration(words: &Words) -> Option<Retry> {
    words.behind(DURATION_MARKS).find_map(|text| Some(Retry::after(seconds(text)?)).filter(Retry::is_known))
}

/// Parses `3 days 2 hours 5 minutes`, `8h44m7s`, `1.574s`, `564ms`, `less than a minute`, or a bare number of seconds.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim_start().to_ascii_lowercase();
    let mut rest = ["about ", "approximately ", "less than ", "~"]
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(&text);
    if rest.starts_with("a minute") {
        return Some(60.0);
    }
    if rest.starts_with("an hour") {
        return Some(3600.0);
    }
    let mut sum = None;
    while let Some((number, behind)) = leading_number(rest) {
        let behind = behind.trim_start();
        let letters = behind.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, behind) = behind.split_at(letters);
        let Some(seconds) = in_seconds(number, unit) else {
            // A bare number means seconds, unless it follows a number with a unit.
            return sum.or(Some(number));
        };
        sum = Some(sum.unwrap_or(0.0) + seconds);
        rest = behind.trim_start_matches([',', ' ']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    sum
}

fn in_seconds(number: f64, unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "millisecond" | "milliseconds" => number / 1000.0,
        "s" | "sec" | "secs" | "second" | "seconds" => number,
        "m" | "min" | "mins" | "minute" | "minutes" => number * 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => number * 3600.0,
        "d" | "day" | "days" => number * DAY,
        "w" | "week" | "weeks" => number * 7.0 * DAY,
        _ => return None,
    })
}

/// Parses `3am (Europe/Berlin)`, `3:42 PM`, `Jul 5th, 2026 8:19 PM`, `Sep 15 at 7pm`, `2026-12-01 at 00:00 UTC`.
fn moment(text: &str) -> Option<Retry> {
    let token = text.split([' ', ',', ')']).next()?.trim_end_matches('.');
    if let Ok(time) = DateTime::parse_from_rfc3339(token) {
        return Some(Retry { at: Some(time.to_utc()), ..Retry::default() });
    }
    let (date, rest) = date(text).map_or((None, text), |(date, rest)| (Some(date), rest));
    let rest = rest.trim_start_matches([',', ' ']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    let (hour, minute, rest) = hour_and_minute(rest)?;
    let (year, month, day) = date.map_or((None, None, None), |(y, m, d)| (y, Some(m), Some(d)));
    Some(Retry {
        clock: Some(WallClock { hour, minute, day, month, year, zone: zone(rest) }),
        ..Retry::default()
    })
}

type Date = (Option<i32>, u32, u32);

fn date(text: &str) -> Option<(Date, &str)> {
    if let Some(Ok(date)) = text.get(..10).map(|t| chrono::NaiveDate::parse_from_str(t, "%Y-%m-%d")) {
        use chrono::Datelike;
        return Some(((Some(date.year()), date.month(), date.day()), &text[10..]));
    }
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let name = text.get(..letters.min(3))?.to_ascii_lowercase();
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = u32::try_from(names.iter().position(|n| *n == name)?).ok()? + 1;
    let rest = text[letters..].trim_start_matches(['.', ' ']);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let day = rest[..digits].parse().ok().filter(|d| (1..=31).contains(d))?;
    let rest = &rest[digits..];
    let rest = ["st", "nd", "rd", "th"].iter().find_map(|end| rest.strip_prefix(end)).unwrap_or(rest);
    let behind = rest.trim_start_matches([',', ' ']);
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    let year = behind[..digits].parse().ok().filter(|y| (2000..=9999).contains(y));
    Some(((year, month, day), if year.is_some() { &behind[digits..] } else { rest }))
}

/// Parses a time of the day, on a clock of 12 or of 24 hours. Returns the rest of the text, too.
fn hour_and_minute(text: &str) -> Option<(u32, u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let hour: u32 = text[..digits].parse().ok()?;
    let mut rest = &text[digits..];
    let minute = rest.strip_prefix(':').and_then(|r| r.get(..2)?.parse::<u32>().ok());
    if minute.is_some() {
        rest = &rest[3..];
        // Seconds do not matter here.
        let seconds =
            rest.strip_prefix(':').and_then(|r| r.get(..2)).filter(|s| s.bytes().all(|b| b.is_ascii_digit()));
        rest = if seconds.is_some() { &rest[3..] } else { rest };
    }
    let half = rest.trim_start().get(..2).map(str::to_ascii_lowercase);
    let hour = match half.as_deref() {
        Some("am") => Some(hour % 12).filter(|_| (1..=12).contains(&hour)),
        Some("pm") => Some(hour % 12 + 12).filter(|_| (1..=12).contains(&hour)),
        // A bare number is not a time of the day.
        _ => Some(hour).filter(|h| *h < 24 && minute.is_some()),
    }?;
    let rest = if matches!(half.as_deref(), Some("am" | "pm")) { &rest.trim_start()[2..] } else { rest };
    Some((hour, minute.unwrap_or(0), rest)).filter(|(_, minute, _)| *minute < 60)
}

fn zone(text: &str) -> Option<String> {
    let text = text.trim_start();
    if let Some(named) = text.strip_prefix('(') {
        let name = &named[..named.find(')')?];
        return Some(name.to_owned()).filter(|n| !n.is_empty() && n.len() <= 64);
    }
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    matches!(word, "UTC" | "GMT").then(|| "UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Retry {
        Retry::of(&Words::new(text))
    }

    #[test]
    fn seconds_are_read_as_people_and_programs_write_them() {
        let table = [
            ("3 days 2 hours 5 minutes.", Some(266_700.0)),
            ("5 days 22 hours 11\nminutes.", Some(511_860.0)),
            ("1 hour and 3 minutes", Some(3780.0)),
            ("8h44m7s.", Some(31_447.0)),
            ("1.574s. Visit", Some(1.574)),
            ("564ms", Some(0.564)),
            ("38s", Some(38.0)),
            ("less than a minute.", Some(60.0)),
            ("13872,eligible", Some(13_872.0)),
            ("20 requests", Some(20.0)),
            ("1h 20 requests", Some(3600.0)),
            ("a brief wait", None),
            (".", None),
            ("", None),
        ];
        for (text, expected) in table {
            let seconds = seconds(Words::new(text).text());
            assert_eq!(seconds.map(|s| (s * 1000.0).round()), expected.map(|s| s * 1000.0), "{text:?}");
        }
    }

    #[test]
    fn a_clock_is_read_with_and_without_date_and_zone() {
        let clock = |hour, minute, date: Option<Date>, zone: Option<&str>| {
            let (year, month, day) = date.map_or((None, None, None), |(y, m, d)| (y, Some(m), Some(d)));
            Some(WallClock { hour, minute, day, month, year, zone: zone.map(str::to_owned) })
        };
        let table = [
            ("resets 3am (Europe/Berlin)", clock(3, 0, None, Some("Europe/Berlin"))),
            ("resets 12:50am (America/Los_Angeles)", clock(0, 50, None, Some("America/Los_Angeles"))),
            ("reset at 12pm.", clock(12, 0, None, None)),
            ("try again at 3:42\u{202f}PM.", clock(15, 42, None, None)),
            ("try again at Jul 5th, 2026 8:19 PM.", clock(20, 19, Some((Some(2026), 7, 5)), None)),
            ("resets Sep 15 at 7pm", clock(19, 0, Some((None, 9, 15)), None)),
            (
                "Resets Jan 12, 10:59am (America/New_York)",
                clock(10, 59, Some((None, 1, 12)), Some("America/New_York")),
            ),
            (
                "regain access on 2026-12-01 at 00:00 UTC.",
                clock(0, 0, Some((Some(2026), 12, 1)), Some("UTC")),
            ),
            ("resets at 15:42:07 today", clock(15, 42, None, None)),
            ("resets 13pm", None),
            ("resets 25:00", None),
            ("resets 10:60", None),
            ("resets 5", None),
            ("resets Feb 31st", None),
            ("resets soon", None),
            ("resets é:é", None),
        ];
        for (text, expected) in table {
            assert_eq!(told(text), Retry { clock: expected, ..Retry::default() }, "{text:?}");
        }
    }

    #[test]
    fn an_exact_time_is_better_than_a_clock() {
        let at = |text: &str| told(text).at.map(|t| t.timestamp());
        assert_eq!(at("Claude AI usage limit reached|1749924000"), Some(1_749_924_000));
        assert_eq!(at(r#"{"resets_at": 1777936568, "resets_in_seconds": 13872}"#), Some(1_777_936_568));
        assert_eq!(at("resets at 2026-12-01T00:00:00Z."), Some(1_796_083_200));
        assert_eq!(at("resets_at:1777936568000"), Some(1_777_936_568));
        assert_eq!(told("limit reached|12"), Retry::default());
        assert_eq!(told("limit reached|99999999999999999999999"), Retry::default());
        assert_eq!(told("try again in 99999999999999999999 days"), Retry::default());
    }

    #[test]
    fn a_header_holds_seconds_or_a_date() {
        assert_eq!(Retry::of_header("30").after, Some(30.0));
        let date = Retry::of_header("Sun, 22 Nov 2026 01:47:40 GMT").at;
        assert_eq!(date.map(|t| t.to_rfc3339()).as_deref(), Some("2026-11-22T01:47:40+00:00"));
        for wrong in ["", "soon", "NaN", "inf", "-1"] {
            assert_eq!(Retry::of_header(wrong), Retry::default(), "{wrong:?}");
        }
    }
}
