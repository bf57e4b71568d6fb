//! Durations and sizes in the spelling of people: `10s`, `1h30m`, `1MiB`.

use std::time::Duration;

const DURATIONS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
];

/// The reason why a text is not a duration; fits after "it".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// A number alone: one reader takes `300` for seconds, another for days.
    #[error("has no unit; write {0}s, {0}m, {0}h or {0}d")]
    NoUnit(String),
    /// Any other text.
    #[error("is not a duration such as 10s, 5m, 1h30m or 7d")]
    Malformed,
}

/// Parses `10s`, `5m`, `2h`, `7d`, `1h30m`, `250ms`, and `0` alone.
///
/// # Errors
/// [`BadDuration::NoUnit`] for any other number without a unit.
pub fn duration(text: &str) -> Result<Duration, BadDuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadDuration::NoUnit(text.to_owned()));
    }
    sum(text, DURATIONS).map(Duration::from_millis).ok_or(BadDuration::Malformed)
}

/// Parses `1MiB`, `500KB`, or a number of bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| sum(text, SIZES))
}

/// Spells a duration for [`duration`]. Parts below a millisecond are lost.
#[must_use]
pub fn spell_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Days are parsed but not written: `36h` is easier to compare with other values.
    for (unit, worth) in &DURATIONS[1..] {
        let count = rest / worth;
        rest %= worth;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

/// Spells a size for [`size`], in the largest unit that leaves no remainder.
pub(super) fn spell_size(bytes: u64) -> String {
    let whole = SIZES[..3].iter().find(|(_, worth)| bytes > 0 && bytes.is_multiple_of(*worth));
    match whole {
        Some((unit, worth)) => format!("{}{unit}", bytes / worth),
        None => bytes.to_string(),
    }
}

/// Adds up `<number><unit>` pairs; `None` for any other text.
fn sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, worth) = units.iter().find(|(unit, _)| *unit == &rest[..end])?;
        rest = &rest[end..];
        total = total.checked_add(number.checked_mul(*worth)?)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("0", Some(0.0)),
            ("10s", Some(10.0)),
            ("5m", Some(300.0)),
            ("2h", Some(7200.0)),
            ("1h30m", Some(5400.0)),
            ("7d", Some(604_800.0)),
            ("0s", Some(0.0)),
            ("250ms", Some(0.25)),
            ("", None),
            ("s", None),
            ("10x", None),
            ("10 s", None),
            ("-5s", None),
            ("1.5h", None),
            ("5mm", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(duration(text).ok().map(|d| d.as_secs_f64()), seconds, "{text:?}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_told_apart_from_other_mistakes() {
        for number in ["10", "00", "99999999999999999999"] {
            assert_eq!(duration(number), Err(BadDuration::NoUnit(number.to_owned())), "{number}");
        }
        for text in ["", "s", "10x", "1.5", "-5", "inf", "1e3"] {
            assert_eq!(duration(text), Err(BadDuration::Malformed), "{text}");
        }
        assert_eq!(duration("30").unwrap_err().to_string(), "has no unit; write 30s, 30m, 30h or 30d");
    }

    #[test]
    fn sizes_are_read_and_spelled() {
        for (text, bytes) in [("1MiB", 1 << 20), ("1536KiB", 1536 << 10), ("2GB", 2_000_000_000), ("17", 17)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        assert_eq!(size("1 MiB"), None);
        assert_eq!(size("MiB"), None);
        assert_eq!(spell_size(1 << 20), "1MiB");
        assert_eq!(spell_size(0), "0");
        assert_eq!(spell_size(1000), "1000");
    }

    proptest! {
        #[test]
        fn what_is_spelled_is_read_again(ms in 0_u64..1_000_000_000_000, bytes in any::<u64>()) {
            let spelled = spell_duration(Duration::from_millis(ms));
            prop_assert_eq!(duration(&spelled), Ok(Duration::from_millis(ms)), "{}", spelled);
            prop_assert_eq!(size(&spell_size(bytes)), Some(bytes));
        }
    }
}
