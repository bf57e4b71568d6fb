//! The core of the daemon: its nouns, put together. Commands are its methods ([`super::commands`]).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    audit::AuditLog,
    faults::Faults,
    gate::Gate,
    keeper::IndexKeeper,
    mailboxes::Mailboxes,
    parts::{Parts, Wake},
    run_logs::RunLogs,
    update::{Seat, Updates},
};
use base::shutdown::Shutdown;
use engine::{planner::Limits, runner::Runner};
use process::{
    identity::{file_system, holder},
    open_files,
};
use tokio::sync::Semaphore;
use view::{index::Index, watch::Hints};

/// Number of descriptors that the acceptance of a task and the start of its run take at a time.
const DESCRIPTORS: u64 = 16;

/// The daemon's nouns. Shared by all its tasks.
#[derive(Debug)]
pub struct Core {
    /// Runs tasks.
    pub runner: Runner,
    /// Hints about the tree.
    pub hints: Hints,
    /// The shutdown of the daemon.
    pub shutdown: Shutdown,
    /// The index of the tree.
    pub index: Arc<Index>,
    /// The files that cannot be read.
    pub faults: Arc<Faults>,
    /// The file system that this process sees; see [`file_system`].
    pub file_system: Option<String>,
    /// The log of accepted submissions.
    pub audit: Arc<AuditLog>,
    /// The message buses, for many clients at a time.
    pub mailboxes: Mailboxes,
    /// The output of live runs, for many followers at a time.
    pub run_logs: RunLogs,
    /// The update of the daemon's own program.
    pub updates: Arc<Updates>,
    /// Limits the number of tasks that are accepted and begun at the same time, as far as the limit of open files demands it.
    pub(super) entries: Semaphore,
    pub(super) gate: Arc<Gate>,
    pub(super) keeper: Arc<IndexKeeper>,
    pub(super) wake: Wake,
    started: Instant,
}

impl Core {
    /// Creates a core, which does nothing yet.
    #[must_use]
    pub fn new(runner: Runner, hints: Hints, shutdown: Shutdown, seat: Seat) -> Arc<Self> {
        let incarnation = holder("daemon").to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let index = Arc::new(Index::new(incarnation));
        let (faults, wake) = (Arc::<Faults>::default(), Wake::default());
        let parts = Parts {
            runner: runner.clone(),
            hints: hints.clone(),
            shutdown: shutdown.clone(),
            index: index.clone(),
            faults: faults.clone(),
            wake: wake.clone(),
        };
        let updates = Updates::new(parts.clone(), seat);
        Arc::new(Self {
            audit: AuditLog::new(parts.clone()),
            mailboxes: Mailboxes::new(&parts),
            run_logs: RunLogs::new(&parts),
            gate: Gate::new(parts.clone(), updates.clone()),
            keeper: IndexKeeper::new(parts),
            entries: Semaphore::new(open_files::at_once(DESCRIPTORS)),
            updates,
            runner,
            hints,
            shutdown,
            index,
            faults,
            file_system: file_system(),
            wake,
            started: Instant::now(),
        })
    }

    /// The limits of the gate.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::of(&self.runner.config.defaults)
    }

    /// The time since the daemon started.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}
