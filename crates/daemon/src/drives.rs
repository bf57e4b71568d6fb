//! The drives of the daemon: one for every live ticket that no other process drives.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{drive::drive_admitted, parts::Parts};
use base::blocking;
use engine::runner::{self, Begin, LoopEnd, RunnerError};
use tree::{ids::TicketId, refs::TaskRef, task_lock::TaskLock, ticket::Ticket};

/// The pause before a loop is driven again after its drive has failed, on a full disk for example.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// The drives of the daemon.
#[derive(Debug)]
pub(super) struct Drives {
    parts: Parts,
    /// The tasks that are driven.
    driving: Mutex<HashSet<TaskRef>>,
    /// The tickets that this daemon accepted and does not drive yet.
    fresh: Mutex<HashSet<TicketId>>,
}

impl Drives {
    /// No drive yet.
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts, driving: Mutex::default(), fresh: Mutex::default() })
    }

    /// Notes a ticket of our own, so that its drive need not look for another driver's work.
    pub(super) fn accepted(&self, id: &TicketId) {
        lock(&self.fresh).insert(id.clone());
    }

    /// Returns true if the task is driven.
    pub(super) fn has(&self, task: &TaskRef) -> bool {
        lock(&self.driving).contains(task)
    }

    /// Starts the drive of a live ticket.
    pub(super) fn start(self: &Arc<Self>, id: TicketId, ticket: Ticket, task_lock: TaskLock) {
        let begin = if lock(&self.fresh).remove(&id) { Begin::Fresh } else { Begin::Resumed };
        self.start_as(begin, id, ticket, task_lock);
    }

    /// Starts the drive of a live ticket, unless the drive before it has not finished yet: the gate is woken then, and
    /// starts it.
    pub(super) fn start_as(
        self: &Arc<Self>,
        begin: Begin,
        id: TicketId,
        ticket: Ticket,
        task_lock: TaskLock,
    ) {
        let task = ticket.task();
        if !lock(&self.driving).insert(task.clone()) {
            return;
        }
        let drives = self.clone();
        self.parts.shutdown.spawn(async move {
            if begin == Begin::Resumed {
                drives.link_back(&task).await;
            }
            let Parts { runner, hints, shutdown, .. } = &drives.parts;
            let detach = shutdown.token().child_token();
            let end = drive_admitted(runner, task_lock, (id, ticket), begin, hints, &detach).await;
            drives.ended(&task, end).await;
        });
    }

    /// Completes a step that a crash may have cut off directly after the acceptance.
    async fn link_back(&self, task: &TaskRef) {
        let (runner, name) = (self.parts.runner.clone(), task.clone());
        // A panic on the other thread must not end this drive.
        if let Ok(Err(e)) = blocking::caught(move || runner::link_back(&runner, &name)).await {
            tracing::warn!(error = %e, task = %task, "cannot link the answered message to the task that answers it");
        }
    }

    async fn ended(&self, task: &TaskRef, end: Result<LoopEnd, RunnerError>) {
        match end {
            Ok(LoopEnd::Ended { end, .. }) => {
                tracing::info!(task = %task, status = ?end.status, reason = %end.reason, "a loop has ended");
            }
            Ok(LoopEnd::Detached) => {}
            Err(e) => {
                self.parts.faults.complain(task, &e, "cannot drive a task; trying again soon");
                tokio::select! {
                    () = self.parts.shutdown.token().cancelled() => {}
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        }
        lock(&self.driving).remove(task);
        self.parts.wake.up();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
