//! The common needs of all mounts: the time, the shutdown of the process, the memory for answers and bodies, and the
//! server's own counts.

use std::sync::Arc;

use super::{budget::Budget, counters::Counters};
use base::{clock::Clock, shutdown::Shutdown};

/// Memory of all answers together that wait for their clients, in bytes.
const ANSWERS: usize = 40 << 20;
/// Memory of all finished answers together that wait for their share of it, in bytes.
const FINISHED: usize = 16 << 20;
/// Memory of all bodies together that are still arriving, in bytes.
const BODIES: usize = 24 << 20;
/// Memory of all bodies together that are being handled, with all that is made of them, in bytes.
const HANDLED: usize = 24 << 20;

/// Shared by all mounts of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    /// The shutdown of the process; streams end when it begins.
    pub shutdown: Shutdown,
    /// The time.
    pub clock: Clock,
    /// The server's own counts.
    pub counters: Arc<Counters>,
    /// The memory of answers.
    pub answers: Budget,
    /// The memory of finished answers that wait for room.
    pub(crate) finished: Budget,
    /// The memory of bodies that are still arriving.
    pub(crate) bodies: Budget,
    /// The memory of bodies that are being handled.
    pub(crate) handled: Budget,
}

impl Live {
    /// Creates it with counts of zero.
    #[must_use]
    pub fn new(shutdown: Shutdown, clock: Clock) -> Self {
        let [answers, finished, bodies, handled] = [ANSWERS, FINISHED, BODIES, HANDLED].map(Budget::new);
        Self { shutdown, clock, counters: Arc::default(), answers, finished, bodies, handled }
    }
}
