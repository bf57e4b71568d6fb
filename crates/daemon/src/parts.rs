//! The parts that every noun of the daemon works with.

use std::sync::Arc;

use tokio::sync::Notify;

use super::faults::Faults;
use base::shutdown::Shutdown;
use engine::{planner::Limits, runner::Runner};
use view::{index::Index, watch::Hints};

/// The shared parts. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    /// Runs tasks.
    pub(super) runner: Runner,
    /// Hints about the tree.
    pub(super) hints: Hints,
    /// The shutdown of the daemon.
    pub(super) shutdown: Shutdown,
    /// The index of the tree.
    pub(super) index: Arc<Index>,
    /// The files that cannot be read.
    pub(super) faults: Arc<Faults>,
    /// Wakes the gate.
    pub(super) wake: Wake,
}

impl Parts {
    /// The limits of the gate.
    pub(super) fn limits(&self) -> Limits {
        Limits::of(&self.runner.config.defaults)
    }
}

/// Wakes the gate because something about the tickets has changed. Wake-ups before the gate waits count as one.
#[derive(Debug, Clone, Default)]
pub(super) struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes the gate.
    pub(super) fn up(&self) {
        self.0.notify_one();
    }

    /// Waits for the next wake-up.
    pub(super) async fn wait(&self) {
        self.0.notified().await;
    }
}
