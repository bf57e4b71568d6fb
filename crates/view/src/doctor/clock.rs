//! Checks the clock: files in the tree must not be from the future.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::check::Check;
use tree::{RelPath, Tree, paths};

/// A file server may have another clock, and clocks are adjusted in small steps.
const SLACK: TimeDelta = TimeDelta::seconds(5);
/// This program was written in that year, so an earlier time is wrong.
const FIRST_YEAR: i32 = 2026;

pub(super) fn check(tree: &Tree) -> Check {
    judge(tree.clock().now(), newest(tree))
}

/// Returns the latest change of one of the outer folders: projects, tickets, the daemon's own.
fn newest(tree: &Tree) -> Option<DateTime<Utc>> {
    let root = tree.root();
    let top = RelPath::top();
    let mut paths: Vec<RelPath> =
        root.list(&top).unwrap_or_default().iter().map(|e| top.join(&e.name)).collect();
    paths.extend([top, paths::top::queue(), paths::top::live()]);
    let modified = paths.iter().filter_map(|path| root.stat(path).ok()??.modified_ns.try_into().ok());
    modified.map(DateTime::from_timestamp_nanos).max()
}

fn judge(now: DateTime<Utc>, newest: Option<DateTime<Utc>>) -> Check {
    let name = "clock";
    if now.year() < FIRST_YEAR {
        return Check::fail(
            name,
            format!("it says {}", now.date_naive()),
            "set the clock, for example with timedatectl",
        );
    }
    match newest.filter(|newest| *newest > now + SLACK) {
        Some(newest) => Check::warn(
            name,
            format!("a file in the tree is dated {} s in the future", (newest - now).num_seconds()),
            "the clock was set back, or the file server's clock differs: check `timedatectl`; until then, lists by time may be in the wrong order",
        ),
        None => Check::ok(name, "no file in the tree is dated in the future"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_clock_that_was_set_back_is_seen() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (now, newest, state) in [
            ("2026-11-22T07:00:00Z", None, State::Ok),
            ("2026-11-22T07:00:00Z", Some("2026-11-22T06:00:00Z"), State::Ok),
            ("2026-11-22T07:00:00Z", Some("2026-11-22T07:00:03Z"), State::Ok),
            ("2026-11-22T07:00:00Z", Some("2026-11-22T08:00:00Z"), State::Warn),
            ("1970-01-01T00:00:09Z", Some("2026-11-22T08:00:00Z"), State::Fail),
        ] {
            let check = judge(at(now), newest.map(at));
            assert_eq!(check.state, state, "{check:?}");
        }
    }
}
