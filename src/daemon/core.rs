//! The core of the daemon: one gate pass after another, and a drive for every live ticket without another driver.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    drive::drive_admitted,
    faults::Faults,
    gathered::Gathered,
    submitted::Submitted,
    update::{Seat, Updates},
};
use crate::{
    blocking,
    planner::{self, Limits},
    process::identity::{file_system, holder},
    runner::{self, Begin, LoopEnd, Result, Runner, RunnerError},
    shutdown::Shutdown,
    tree::{
        self, TreeError,
        bus::{BusOwner, Draft, Message, Page},
        ids::TicketId,
        paths::top,
        refs::TaskRef,
        task_lock::TaskLock,
        ticket::{Place, Ticket},
    },
    view::{dependency::readable_tickets, index::Index},
    watch::{Hints, Watched},
};

/// Interval for checking if another driver has died, while there is one.
const OTHERS: Duration = Duration::from_secs(1);
/// Pause before a loop is driven again whose drive failed, for example because the disk was full.
const RETRY: Duration = Duration::from_secs(5);

/// The shared state of the daemon's tasks.
#[derive(Debug)]
pub struct Core {
    /// Runs tasks.
    pub runner: Runner,
    /// Hints about the tree.
    pub hints: Hints,
    /// The shutdown.
    pub shutdown: Shutdown,
    /// The content of the tree.
    pub index: Arc<Index>,
    /// The unreadable files.
    pub faults: Faults,
    /// The file system that this process sees; see [`file_system`].
    pub file_system: Option<String>,
    pub(super) updates: Updates,
    /// The tasks that we drive, and the tickets that we accepted ourselves and do not drive yet.
    driving: Mutex<HashSet<TaskRef>>,
    fresh: Mutex<HashSet<TicketId>>,
    pass: tokio::sync::Mutex<()>,
    poke: Notify,
    /// Messages to be posted, by bus.
    pub(super) posts: Gathered<BusOwner, Draft, tree::Result<Message>>,
    /// Readers of buses, by bus and position.
    pub(super) bus_reads: Gathered<(BusOwner, u64), (), tree::Result<Arc<Page>>>,
    /// Submissions to be added to the audit log.
    pub(super) submissions: Gathered<(), Submitted, ()>,
    /// Notified after each line of the audit log.
    pub(super) audited: Notify,
    started: Instant,
}

/// States if other processes drive tickets, so that the daemon has to check again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Drive,
    DoNot,
}

impl Core {
    /// Creates a core, which does nothing yet.
    #[must_use]
    pub fn new(runner: Runner, hints: Hints, shutdown: Shutdown, seat: Seat) -> Arc<Self> {
        let incarnation = holder("daemon").to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        Arc::new(Self {
            index: Arc::new(Index::new(incarnation)),
            updates: Updates::new(seat, &runner.tree, &runner.environment),
            runner,
            faults: Faults::default(),
            file_system: file_system(),
            hints,
            shutdown,
            driving: Mutex::default(),
            fresh: Mutex::default(),
            pass: tokio::sync::Mutex::new(()),
            poke: Notify::new(),
            posts: Gathered::default(),
            bus_reads: Gathered::default(),
            submissions: Gathered::default(),
            audited: Notify::new(),
            started: Instant::now(),
        })
    }

    /// The limits of the gate.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let defaults = &self.runner.config.defaults;
        Limits { roots: defaults.max_concurrent_root_tasks, runs: defaults.max_concurrent_runs }
    }

    /// Returns the time since the start of the daemon.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Wakes the gate after a change of the tickets.
    pub fn poke(&self) {
        self.poke.notify_one();
    }

    /// Remembers that a ticket is our own, so that its drive need not look for traces of another driver.
    pub(super) fn accepted(&self, id: &TicketId) {
        lock(&self.fresh).insert(id.clone());
    }

    /// Passes the gate after every change, until the shutdown begins.
    pub async fn run(self: Arc<Self>) {
        let core = self.clone();
        let watched = blocking::run(move || core.watch_tickets()).await;
        // Only tickets are watched here; the keeper reports all other changes that let a ticket pass.
        let mut waiter = self.hints.waiter_of(&watched);
        loop {
            let others = self.pass().await;
            let soon = async {
                match others {
                    Ok(Others::DoNot) => std::future::pending().await,
                    Ok(Others::Drive) => tokio::time::sleep(OTHERS).await,
                    Err(()) => tokio::time::sleep(RETRY).await,
                }
            };
            tokio::select! {
                () = self.shutdown.token().cancelled() => return,
                () = waiter.next() => {}
                () = self.poke.notified() => {}
                () = soon => {}
            }
        }
    }

    /// Watches the planner's folders. They are created first, because a missing folder cannot be watched.
    fn watch_tickets(&self) -> [Watched; 2] {
        if let Err(e) = self.runner.tree.planner() {
            tracing::error!(error = %e, "the planner's folders cannot be made");
        }
        let root = self.runner.tree.root();
        [top::queue(), top::live()].map(|dir| self.hints.watch(&root.absolute(&dir)))
    }

    /// Admits tickets that may start, and drives the live ones.
    async fn pass(self: &Arc<Self>) -> std::result::Result<Others, ()> {
        let _one_at_a_time = self.pass.lock().await;
        if self.shutdown.token().is_cancelled() || !self.updates.may_drive() {
            return Ok(Others::DoNot);
        }
        let core = self.clone();
        match blocking::run(move || core.admit_and_lock()).await {
            Ok((mine, others)) => {
                for (id, ticket, lock) in mine {
                    self.start_drive(id, ticket, lock);
                }
                Ok(others)
            }
            Err(e) => {
                tracing::error!(error = %e, "the planner's folders cannot be used");
                Err(())
            }
        }
    }

    /// Makes one pass for a caller that has just changed something and needs the result.
    pub(super) async fn pass_now(self: &Arc<Self>) {
        // A failure is logged, and the loop tries again.
        let _ = self.pass().await;
    }

    #[expect(clippy::type_complexity, reason = "a list of what to drive, used once")]
    fn admit_and_lock(&self) -> Result<(Vec<(TicketId, Ticket, TaskLock)>, Others)> {
        let tree = &self.runner.tree;
        planner::admit(tree, self.limits())?;
        let (mut mine, mut others) = (Vec::new(), Others::DoNot);
        for (id, ticket) in readable_tickets(tree, Place::Live)? {
            let task = ticket.task();
            if lock(&self.driving).contains(&task) {
                continue;
            }
            match tree.lock_task(&task, &holder("daemon")) {
                Ok(lock) => {
                    // Read under the lock, because the previous holder may have advanced or finished the task.
                    if let Some(ticket) = tree.ticket(Place::Live, &id)? {
                        mine.push((id, ticket, lock));
                    }
                }
                Err(TreeError::Locked { .. }) => others = Others::Drive,
                Err(e) => self.faults.complain(&task, &e.into(), "a task cannot be driven"),
            }
        }
        Ok((mine, others))
    }

    fn start_drive(self: &Arc<Self>, id: TicketId, ticket: Ticket, task_lock: TaskLock) {
        let task = ticket.task();
        lock(&self.driving).insert(task.clone());
        let begin = if lock(&self.fresh).remove(&id) { Begin::Fresh } else { Begin::Resumed };
        let core = self.clone();
        self.shutdown.spawn(async move {
            if begin == Begin::Resumed {
                core.link_back(&task).await;
            }
            let detach = core.shutdown.token().child_token();
            let end =
                drive_admitted(&core.runner, task_lock, (id, ticket), begin, &core.hints, &detach).await;
            core.drive_ended(&task, end).await;
        });
    }

    /// Completes the step that a crash may have prevented directly after the acceptance.
    async fn link_back(&self, task: &TaskRef) {
        let (runner, name) = (self.runner.clone(), task.clone());
        // A panic on the other thread must not end this drive.
        if let Ok(Err(e)) = blocking::caught(move || runner::link_back(&runner, &name)).await {
            tracing::warn!(error = %e, task = %task, "the answered message does not say who answers it");
        }
    }

    async fn drive_ended(&self, task: &TaskRef, end: std::result::Result<LoopEnd, RunnerError>) {
        match end {
            Ok(LoopEnd::Ended { end, .. }) => {
                tracing::info!(task = %task, status = ?end.status, reason = %end.reason, "a loop has ended");
            }
            Ok(LoopEnd::Detached) => {}
            Err(e) => {
                self.faults.complain(task, &e, "a loop cannot be driven; it is taken up again soon");
                tokio::select! {
                    () = self.shutdown.token().cancelled() => {}
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        }
        lock(&self.driving).remove(task);
        self.poke();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
