//! The gate of the daemon: one pass after another, which admits what may start and hands what is live to the drives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    drives::{Drives, RETRY},
    parts::Parts,
    update::Updates,
};
use base::blocking;
use engine::{
    planner::{self, Entry},
    runner::{self, Accepted, Begin, Result},
};
use process::identity::holder;
use tree::{
    TreeError,
    ids::TicketId,
    paths::top,
    task_lock::TaskLock,
    ticket::{Ticket, TicketFolder},
};
use view::{dependency::readable_tickets, watch::Watched};

/// The pause before the next look while another driver is alive, which may die.
const OTHERS: Duration = Duration::from_secs(1);

/// The gate of the daemon.
#[derive(Debug)]
pub(super) struct Gate {
    parts: Parts,
    updates: Arc<Updates>,
    drives: Arc<Drives>,
    pass: tokio::sync::Mutex<()>,
    /// True if the last pass found that the root was not at its path.
    root_is_away: AtomicBool,
}

/// Tells if other processes drive tickets, so that the gate must look again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherDrivers {
    Present,
    Absent,
}

/// A live ticket with the lock of its task.
type HeldTicket = (TicketId, Ticket, TaskLock);

impl Gate {
    /// A gate that nothing has passed yet.
    pub(super) fn new(parts: Parts, updates: Arc<Updates>) -> Arc<Self> {
        let drives = Drives::new(parts.clone());
        let pass = tokio::sync::Mutex::new(());
        Arc::new(Self { parts, updates, drives, pass, root_is_away: AtomicBool::new(false) })
    }

    /// Returns the way of a ticket that this daemon accepts: not into `live/` while it drives nothing.
    pub(super) fn entry(&self) -> Entry {
        if self.is_open() { Entry::AtOnce } else { Entry::Queued }
    }

    fn is_open(&self) -> bool {
        !self.parts.shutdown.token().is_cancelled() && self.updates.may_drive()
    }

    /// Takes a ticket of our own. If it is live, its drive starts now, with the lock under which it was accepted.
    /// Returns its number if it waits in the queue.
    pub(super) async fn take(self: &Arc<Self>, accepted: Accepted) -> Option<TicketId> {
        let Accepted { ticket_id, place, ticket, lock } = accepted;
        if place == TicketFolder::Live {
            if self.is_open() {
                self.drives.start_as(Begin::Fresh, ticket_id, ticket, lock);
            }
            return None;
        }
        // Its drive need not look for another driver's work.
        self.drives.accepted(&ticket_id);
        // The driver takes the lock again: a queue of a thousand tasks must not keep a thousand files open.
        drop(lock);
        self.pass_now().await;
        Some(ticket_id)
    }

    /// Passes whenever something changes, until the shutdown.
    pub(super) async fn run(self: Arc<Self>) {
        let gate = self.clone();
        let watched = blocking::run(move || gate.watch_tickets()).await;
        // Only the tickets: the index keeper reports everything else that lets one pass.
        let mut waiter = self.parts.hints.waiter_of(&watched);
        loop {
            let others = self.pass().await;
            let soon = async {
                match others {
                    Ok(OtherDrivers::Absent) => std::future::pending().await,
                    Ok(OtherDrivers::Present) => tokio::time::sleep(OTHERS).await,
                    Err(()) => tokio::time::sleep(RETRY).await,
                }
            };
            tokio::select! {
                () = self.parts.shutdown.token().cancelled() => return,
                () = waiter.next() => {}
                () = self.parts.wake.wait() => {}
                () = soon => {}
            }
        }
    }

    /// Watches the planner's folders. They are created first, because a missing folder cannot be watched.
    fn watch_tickets(&self) -> [Watched; 2] {
        let tree = &self.parts.runner.tree;
        if let Err(e) = tree.planner() {
            tracing::error!(error = %e, "cannot create the ticket folders");
        }
        [top::queue(), top::live()].map(|dir| self.parts.hints.watch(&tree.root().absolute(&dir)))
    }

    /// One pass, for a caller that has just changed something and needs its effect.
    async fn pass_now(self: &Arc<Self>) {
        // A failure is logged, and the loop tries again.
        let _ = self.pass().await;
    }

    /// Admits tickets that may start, and drives the live ones.
    async fn pass(self: &Arc<Self>) -> std::result::Result<OtherDrivers, ()> {
        let _one_at_a_time = self.pass.lock().await;
        if !self.is_open() {
            return Ok(OtherDrivers::Absent);
        }
        let gate = self.clone();
        match blocking::run(move || gate.admit_and_lock()).await {
            Ok((mine, others)) => {
                for (id, ticket, lock) in mine {
                    self.drives.start(id, ticket, lock);
                }
                Ok(others)
            }
            Err(e) => {
                tracing::error!(error = %e, "cannot use the ticket folders");
                Err(())
            }
        }
    }

    /// Checks that the root is at its path, and logs a change. Nothing is admitted while it is not: a shim could not open
    /// the root.
    fn root_is_in_place(&self) -> bool {
        let placed = self.parts.runner.tree.root().must_be_in_place();
        let was_away = self.root_is_away.swap(placed.is_err(), Ordering::Relaxed);
        match placed {
            Err(e) if !was_away => {
                tracing::error!(error = %e, cause = %e.source, "no task is started until the root is back");
            }
            Ok(()) if was_away => tracing::info!("the root is back"),
            _ => {}
        }
        !self.root_is_away.load(Ordering::Relaxed)
    }

    fn admit_and_lock(&self) -> Result<(Vec<HeldTicket>, OtherDrivers)> {
        if !self.root_is_in_place() {
            // No hint reports the return of the root.
            return Ok((Vec::new(), OtherDrivers::Present));
        }
        let tree = &self.parts.runner.tree;
        planner::admit(tree, self.parts.limits())?;
        let (mut mine, mut others) = (Vec::new(), OtherDrivers::Absent);
        for (id, ticket) in readable_tickets(tree, TicketFolder::Live)? {
            let task = ticket.task();
            if self.drives.has(&task) {
                continue;
            }
            match tree.lock_task(&task, &holder("daemon")) {
                Ok(lock) => {
                    // Under the lock: the previous holder may have moved on, or finished.
                    if let Some(ticket) = tree.ticket(TicketFolder::Live, &id)? {
                        mine.push((id, ticket, lock));
                    }
                }
                Err(TreeError::Locked { .. }) => others = OtherDrivers::Present,
                Err(e) => {
                    if !runner::give_up_lost(&self.parts.runner, TicketFolder::Live, &id, &ticket, &e)? {
                        self.parts.faults.complain(&task, &e.into(), "cannot drive a task");
                        // No hint reports that its processes have ended.
                        others = OtherDrivers::Present;
                    }
                }
            }
        }
        Ok((mine, others))
    }
}
