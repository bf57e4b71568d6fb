//! The common needs of all mounts: the time, the shutdown of the process, and the server's own counts.

use std::sync::Arc;

use super::counters::Counters;
use base::{clock::Clock, shutdown::Shutdown};

/// Shared by all mounts of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    /// The shutdown of the process; streams end when it begins.
    pub shutdown: Shutdown,
    /// The time.
    pub clock: Clock,
    /// The server's own counts.
    pub counters: Arc<Counters>,
}

impl Live {
    /// Creates it with counts of zero.
    #[must_use]
    pub fn new(shutdown: Shutdown, clock: Clock) -> Self {
        Self { shutdown, clock, counters: Arc::default() }
    }
}
