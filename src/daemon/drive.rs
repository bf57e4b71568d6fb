//! Drives one ticket: through the gate, through its loop, to its removal. The same for a command line and a daemon.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    planner::{self, Admission, Limits},
    runner::{self, Begin, LoopEnd, Result, Runner},
    tree::{
        TreeError,
        ids::TicketId,
        paths::top,
        refs::TaskRef,
        task_lock::TaskLock,
        ticket::{Place, Ticket},
    },
    watch::Hints,
};

/// Drives a ticket whose task's lock we hold until its loop has ended and the ticket is gone.
///
/// # Errors
/// If the tree cannot be read or written; the ticket stays then, for whoever takes over.
pub async fn drive_ticket(
    runner: &Runner,
    lock: TaskLock,
    (id, ticket): (TicketId, Ticket),
    begin: Begin,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<LoopEnd> {
    if !admitted(runner, &id, &ticket, hints, detach).await? {
        return Ok(LoopEnd::Detached);
    }
    drive_admitted(runner, lock, (id, ticket), begin, hints, detach).await
}

/// Drives a live ticket until its loop has ended and the ticket is gone.
///
/// # Errors
/// As [`drive_ticket`].
pub(super) async fn drive_admitted(
    runner: &Runner,
    lock: TaskLock,
    (id, ticket): (TicketId, Ticket),
    begin: Begin,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<LoopEnd> {
    let lock = Arc::new(lock);
    let end = runner::drive_loop(runner, &lock, &id, ticket, begin, hints, detach).await?;
    if let LoopEnd::Ended { .. } = end {
        runner.tree.close_ticket(Place::Live, &id)?;
    }
    Ok(end)
}

/// Drives on what another driver left of a task; `None` if the task has no ticket.
///
/// # Errors
/// [`TreeError::Locked`] if somebody drives it.
pub async fn take_over(
    runner: &Runner,
    task: &TaskRef,
    holder: &str,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<Option<LoopEnd>> {
    let lock = runner.tree.lock_task(task, holder)?;
    // Under the lock: whoever had it before may just have finished.
    let Some((id, _, ticket)) = runner.tree.ticket_of(task)? else { return Ok(None) };
    drive_ticket(runner, lock, (id, ticket), Begin::Resumed, hints, detach).await.map(Some)
}

/// How a holder of a task's lock names itself, for people.
#[must_use]
pub fn holder(who: &str) -> String {
    let me = crate::process::identity::ProcessId::current();
    format!("{who} (pid {}, started {})", me.pid, me.started)
}

/// Waits until the ticket is live. `false`: we are to go before it is.
async fn admitted(
    runner: &Runner,
    id: &TicketId,
    ticket: &Ticket,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<bool> {
    let root = runner.tree.root();
    // Its own folder, too: STOP ends the wait.
    let folders = [top::queue(), top::live(), ticket.task().dir().path().clone()];
    let _watched = folders.map(|folder| hints.watch(&root.absolute(&folder)));
    let mut waiter = hints.waiter();
    let limits = Limits::of(&runner.config.defaults);
    loop {
        if runner.tree.ticket(Place::Live, id)?.is_some() {
            return Ok(true);
        }
        planner::admit(&runner.tree, limits, Admission::Open)?;
        if runner.tree.ticket(Place::Live, id)?.is_some() {
            return Ok(true);
        }
        if runner.tree.ticket(Place::Queue, id)?.is_none() {
            return Err(TreeError::NotFound { what: format!("ticket {id} of task {}", ticket.task()) }.into());
        }
        tokio::select! {
            () = detach.cancelled() => return Ok(false),
            () = waiter.next() => {}
        }
    }
}
