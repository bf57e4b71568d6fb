//! The cursor of a reader of a project's buses, of a size independent of their number.
//!
//! `w=<time>;n=<buses>;b=<bytes>[;<bus>:<offset>,…]`. Of each bus everything was sent up to its last message with an id
//! that has the time `w` or an earlier one. The named buses are exceptions, each with the offset up to which it was
//! sent. `n` and `b` are the number of the other buses and of their sent bytes. If another process writes a late
//! message, which then lies before `w` without having been sent, these numbers do not match. So no loss goes unnoticed.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};

use tree::ids::TaskId;

/// The name of a project's own bus among those of its tasks. It is no valid task id.
const OWN: &str = ".";

/// A position in the buses of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusesCursor {
    /// The time up to which everything was sent.
    pub(super) until: DateTime<Utc>,
    /// The buses with another position, each with the offset after its last sent line. `None` stands for the
    /// project's own.
    pub(super) odd: Vec<(Option<TaskId>, u64)>,
    /// The other buses of which anything was sent.
    pub(super) sent: Tally,
}

/// The sent part of the buses that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) buses: usize,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: u64) {
        self.buses += usize::from(bytes > 0);
        self.bytes += bytes;
    }

    /// Returns true if a reader may continue at `then`: no message was inserted before that position. Deleted buses
    /// do not count.
    pub(super) fn follows(self, then: Self) -> bool {
        self.buses < then.buses || self == then
    }
}

/// A text that is not a cursor of several buses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of the buses of a project")]
pub struct BadBusesCursor;

impl Default for BusesCursor {
    fn default() -> Self {
        Self { until: DateTime::UNIX_EPOCH, odd: Vec::new(), sent: Tally::default() }
    }
}

impl fmt::Display for BusesCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.until.timestamp(), self.until.timestamp_subsec_nanos());
        write!(f, "w={seconds}.{nanos:09};n={};b={}", self.sent.buses, self.sent.bytes)?;
        for (n, (task, offset)) in self.odd.iter().enumerate() {
            let name = task.as_ref().map_or(OWN, TaskId::as_str);
            write!(f, "{}{name}:{offset}", if n == 0 { ';' } else { ',' })?;
        }
        Ok(())
    }
}

impl FromStr for BusesCursor {
    type Err = BadBusesCursor;

    fn from_str(text: &str) -> Result<Self, BadBusesCursor> {
        parse(text).filter(|cursor| cursor.to_string() == text).ok_or(BadBusesCursor)
    }
}

fn parse(text: &str) -> Option<BusesCursor> {
    let mut parts = text.split(';');
    let (seconds, nanos) = parts.next()?.strip_prefix("w=")?.split_once('.')?;
    let until = DateTime::from_timestamp(seconds.parse().ok()?, nanos.parse().ok()?)?;
    let buses = parts.next()?.strip_prefix("n=")?.parse().ok()?;
    let bytes = parts.next()?.strip_prefix("b=")?.parse().ok()?;
    let odd = |one: &str| {
        let (name, offset) = one.split_once(':')?;
        let task = if name == OWN { None } else { Some(name.parse().ok()?) };
        Some((task, offset.parse().ok()?))
    };
    let odd = parts.next().map_or(Some(Vec::new()), |list| list.split(',').map(odd).collect())?;
    Some(BusesCursor { until, odd, sent: Tally { buses, bytes } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        for text in [
            "w=0.000000000;n=0;b=0",
            "w=1764500000.000000001;n=3;b=999",
            "w=1764500000.123456789;n=3;b=999;.:7,task-1:12",
        ] {
            assert_eq!(text.parse::<BusesCursor>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "w=1",
            "w=1.5;n=0;b=0",
            "w=1.000000000;n=0;b=0;",
            "w=1.000000000;n=0;b=0;../x:1",
            "w=1.000000000;n=0;b=0;a:1;b:1",
            "w=1.000000000;n=0;b=0;a:01",
            "MSG-20260205-100001-000000001-PID00001-0001",
        ] {
            assert_eq!(bad.parse::<BusesCursor>(), Err(BadBusesCursor), "{bad}");
        }
    }
}
