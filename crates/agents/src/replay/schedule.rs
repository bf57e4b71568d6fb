//! The times at which bytes are printed: the recorded times, faster and without long pauses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// The pace of a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The factor by which the replay is faster than the run.
    pub speed: f64,
    /// The maximum pause of the replay.
    pub max_pause: Option<Duration>,
}

/// A mark of `log-times.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Mark {
    pub(super) stream: Stream,
    /// The number of bytes at that time.
    pub(super) offset: u64,
    pub(super) time: DateTime<Utc>,
}

/// The stream that bytes are printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Bytes to be printed after a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) pause: Duration,
    pub(super) stream: Stream,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Returns the steps and the pause before the end. Every byte is printed once, in the order of its stream. Bytes
/// without a mark are printed at the end.
pub(super) fn schedule(
    marks: &[Mark],
    (stdout, stderr): (u64, u64),
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    pace: Pace,
) -> (Vec<Step>, Duration) {
    let mut printed = [0, 0];
    let mut at = start;
    let mut owed = Duration::ZERO;
    let mut steps = Vec::new();
    for mark in marks {
        owed += pause(at, mark.time, pace);
        at = at.max(mark.time);
        let (stream, size) = match mark.stream {
            Stream::Stdout => (0, stdout),
            Stream::Stderr => (1, stderr),
        };
        // An agent that truncated its own output starts again; only the rest can be replayed.
        let to = mark.offset.min(size);
        if to > printed[stream] {
            steps.push(Step {
                pause: std::mem::take(&mut owed),
                stream: mark.stream,
                from: printed[stream],
                to,
            });
            printed[stream] = to;
        }
    }
    owed += pause(at, end, pace);
    let rest = [(Stream::Stdout, printed[0], stdout), (Stream::Stderr, printed[1], stderr)];
    for (stream, from, to) in rest.into_iter().filter(|(_, from, to)| from < to) {
        steps.push(Step { pause: std::mem::take(&mut owed), stream, from, to });
    }
    (steps, owed)
}

fn pause(from: DateTime<Utc>, to: DateTime<Utc>, pace: Pace) -> Duration {
    // A clock that jumped back causes no pause.
    let real = (to - from).to_std().unwrap_or_default();
    let played = Duration::try_from_secs_f64(real.as_secs_f64() / pace.speed).unwrap_or(Duration::MAX);
    pace.max_pause.map_or(played, |longest| played.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: Pace = Pace { speed: 1.0, max_pause: None };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn mark(stream: Stream, offset: u64, seconds: i64) -> Mark {
        Mark { stream, offset, time: at(seconds) }
    }

    fn step(seconds: u64, stream: Stream, from: u64, to: u64) -> Step {
        Step { pause: Duration::from_secs(seconds), stream, from, to }
    }

    #[test]
    fn bytes_come_when_they_came() {
        use Stream::{Stderr, Stdout};
        let marks = [mark(Stdout, 5, 2), mark(Stderr, 3, 2), mark(Stdout, 9, 12)];
        let spoken = [step(2, Stdout, 0, 5), step(0, Stderr, 0, 3), step(10, Stdout, 5, 9)];
        assert_eq!(
            schedule(&marks, (9, 3), (at(0), at(20)), REAL),
            (spoken.to_vec(), Duration::from_secs(8))
        );
        let quick = Pace { speed: 2.0, max_pause: Some(Duration::from_secs(3)) };
        let (steps, end) = schedule(&marks, (9, 3), (at(0), at(20)), quick);
        assert_eq!(
            (steps[0].pause, steps[2].pause, end),
            (Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(3))
        );
    }

    #[test]
    fn odd_marks_lose_and_double_nothing() {
        use Stream::{Stderr, Stdout};
        // A clock that went back, an offset that did, one after the end of the file, and bytes without a mark.
        let marks = [mark(Stdout, 4, 5), mark(Stdout, 2, 3), mark(Stdout, 100, 6)];
        let (steps, end) = schedule(&marks, (8, 2), (at(0), at(6)), REAL);
        assert_eq!(steps, [step(5, Stdout, 0, 4), step(1, Stdout, 4, 8), step(0, Stderr, 0, 2)]);
        assert_eq!(end, Duration::ZERO);
        assert_eq!(schedule(&[], (0, 0), (at(5), at(0)), REAL), (Vec::new(), Duration::ZERO));
    }
}
