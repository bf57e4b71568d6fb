//! Measured times and their statistics.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::Result;

/// Nanoseconds of a clock that all processes of this machine share.
pub fn now() -> u64 {
    let at = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or((0, 0), |t| (t.tv_sec(), t.tv_nsec()));
    u64::try_from(at.0).unwrap_or(0) * 1_000_000_000 + u64::try_from(at.1).unwrap_or(0)
}

/// Times of one operation, in nanoseconds, sorted.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<u64>);

impl Times {
    /// Creates the times from unsorted nanoseconds.
    pub fn new(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        Self(nanos)
    }

    /// Measures an operation, after some rounds that fill the caches.
    pub fn of(rounds: usize, mut round: impl FnMut() -> Result<()>) -> Result<Self> {
        for _ in 0..rounds.div_ceil(10).min(5) {
            round()?;
        }
        let timed = |_| {
            let began = Instant::now();
            round().map(|()| nanos(began.elapsed()))
        };
        Ok(Self::new((0..rounds).map(timed).collect::<Result<_>>()?))
    }

    /// The number of times.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a percentile, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        Duration::from_nanos(self.0.get(at).copied().unwrap_or(0)).as_secs_f64() * 1e3
    }
}

/// Returns a duration in nanoseconds.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Converts a count to a figure.
pub fn figure(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Returns the rate per second.
pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    figure(count) / elapsed.as_secs_f64().max(1e-9)
}
