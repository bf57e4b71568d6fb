//! Sizes and ages as people read them; programs get bytes and timestamps instead.

use chrono::TimeDelta;

/// "812 B", "1.4 MB", "27 GB": powers of 1000, as df(1) and disk makers count with `-H`.
#[must_use]
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // Rounds to tenths, and takes the next unit if rounding gives 1000 of this one.
    let (mut unit, mut worth) = (0, 1000_u64);
    while unit + 1 < UNITS.len() && bytes.saturating_add(worth / 20) / worth >= 1000 {
        unit += 1;
        worth *= 1000;
    }
    let tenths = u128::from(bytes) * 10 + u128::from(worth) / 2;
    let tenths = tenths / u128::from(worth);
    if tenths >= 100 {
        format!("{} {}", (tenths + 5) / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// "12 s", "5 min", "7 h", "30 d": the largest unit of which at least one is full.
#[must_use]
pub(super) fn age(age: TimeDelta) -> String {
    let seconds = age.num_seconds().max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let (worth, unit) = units.into_iter().find(|(worth, _)| seconds >= *worth).unwrap_or((1, "s"));
    format!("{} {unit}", seconds / worth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1449, "1.4 kB"),
            (99_949, "100 kB"),
            (12_345, "12 kB"),
            (999_949, "1000 kB"),
            (999_950, "1.0 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (2_600_000, "30 d")]
        {
            assert_eq!(age(TimeDelta::seconds(seconds)), text);
        }
    }
}
