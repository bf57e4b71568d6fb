//! Drives one ticket: through the gate, through its loop, to its removal. A command line and the daemon share this
//! code.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use base::blocking;
use engine::{
    planner::{self, Limits},
    runner::{self, Begin, LoopEnd, Result, Runner, RunnerError},
};
use process::identity::holder;
use tree::{
    Holder, Tree, TreeError,
    ids::TicketId,
    paths::top,
    refs::TaskRef,
    task_lock::TaskLock,
    ticket::{Ticket, TicketFolder},
};
use view::watch::Hints;

/// Interval for checking if the driver of a child has died.
const LOOK: Duration = Duration::from_secs(1);

/// Drives a ticket until its loop has ended and the ticket is removed. We hold the lock of its task. Meanwhile drives
/// its children that have no other driver.
///
/// # Errors
/// If the tree cannot be read or written; the ticket then stays for the next driver.
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
    let task = ticket.task();
    let orphans_left = detach.child_token();
    let orphans = drive_orphans(runner, &task, hints, &orphans_left);
    let drive = async {
        let end = drive_admitted(runner, lock, (id, ticket), begin, hints, detach).await;
        orphans_left.cancel();
        end
    };
    tokio::join!(drive, orphans).0
}

/// Drives a live ticket until its loop has ended and the ticket is removed.
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
    let driven = runner::drive_loop(runner, &lock, &id, ticket, begin, hints, detach).await;
    let runner = runner.clone();
    blocking::run(move || {
        if is_over(&runner, &lock, &id, &driven)? {
            runner.tree.close_ticket(TicketFolder::Live, &id)?;
        }
        driven
    })
    .await
}

/// Returns true if the loop has ended or was given up, so that its ticket is to go.
fn is_over(runner: &Runner, lock: &TaskLock, id: &TicketId, driven: &Result<LoopEnd>) -> Result<bool> {
    match driven {
        Ok(LoopEnd::Ended { .. }) => Ok(true),
        Ok(LoopEnd::Detached) => Ok(false),
        Err(e) => match runner.tree.ticket(TicketFolder::Live, id) {
            Ok(Some(ticket)) => runner::give_up(runner, lock, &ticket, e),
            Ok(None) | Err(_) => Ok(false),
        },
    }
}

/// Continues a task that another driver left; `None` if the task has no ticket.
///
/// # Errors
/// [`TreeError::Locked`] if it has a driver.
pub async fn take_over(
    runner: &Runner,
    task: &TaskRef,
    holder: &Holder,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<Option<LoopEnd>> {
    let (own, name, holder) = (runner.clone(), task.clone(), holder.clone());
    let taken = blocking::run(move || {
        let tree = &own.tree;
        let lock = match tree.lock_task(&name, &holder) {
            Ok(lock) => lock,
            Err(e) => return give_up_lost(&own, &name, e).map(|()| None),
        };
        // Read under the lock, because the previous driver may just have finished.
        Ok::<_, RunnerError>(tree.ticket_of(&name)?.map(|(id, _, ticket)| (lock, id, ticket)))
    });
    let Some((lock, id, ticket)) = taken.await? else { return Ok(None) };
    // The future of a whole loop is large.
    Box::pin(drive_ticket(runner, lock, (id, ticket), Begin::Resumed, hints, detach)).await.map(Some)
}

/// Gives up the ticket of a task with a lock that cannot be taken, if that will not change. Returns the error otherwise, and
/// also for a task that has no ticket.
fn give_up_lost(runner: &Runner, task: &TaskRef, e: TreeError) -> Result<()> {
    if !matches!(e, TreeError::Locked { .. })
        && let Some((id, place, ticket)) = runner.tree.ticket_of(task)?
        && runner::give_up_lost(runner, place, &id, &ticket, &e)?
    {
        return Ok(());
    }
    Err(e.into())
}

/// Drives the children of a task that have no driver, because their command lines ended with the agent that called
/// them.
async fn drive_orphans(runner: &Runner, parent: &TaskRef, hints: &Hints, detach: &CancellationToken) {
    let root = runner.tree.root();
    let watched = hints.watch_all([top::queue(), top::live()].map(|folder| root.absolute(&folder))).await;
    let mut waiter = hints.waiter_of(&watched);
    let mut drives = JoinSet::new();
    while !detach.is_cancelled() {
        let (tree, parent) = (runner.tree.clone(), parent.clone());
        let children = blocking::run(move || children(&tree, &parent)).await;
        for (child, _) in children.iter().filter(|(_, driven)| *driven == Driven::No) {
            drives.spawn(drive_orphan(runner.clone(), child.clone(), hints.clone(), detach.clone()));
        }
        // No watch reports the death of a driver.
        let soon = async {
            if children.is_empty() { std::future::pending().await } else { tokio::time::sleep(LOOK).await }
        };
        tokio::select! {
            () = detach.cancelled() => {}
            () = waiter.next() => {}
            () = soon => {}
        }
    }
    while drives.join_next().await.is_some() {}
}

/// States if another process drives a child task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driven {
    Yes,
    No,
}

/// The live children of a task. The parent's own drive reports folders that cannot be read.
fn children(tree: &Tree, parent: &TaskRef) -> Vec<(TaskRef, Driven)> {
    let children = runner::live_children(tree, parent).unwrap_or_default();
    let with_driver = |child: TaskRef| {
        let driven = if tree.is_driven(&child).unwrap_or(true) { Driven::Yes } else { Driven::No };
        (child, driven)
    };
    children.into_iter().map(with_driver).collect()
}

/// Boxed, since a child may have orphans of its own.
fn drive_orphan(
    runner: Runner,
    task: TaskRef,
    hints: Hints,
    detach: CancellationToken,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        match take_over(&runner, &task, &holder("run-agent, for the parent task"), &hints, &detach).await {
            Ok(_) | Err(RunnerError::Tree(TreeError::Locked { .. })) => {}
            Err(e) => tracing::warn!(error = %e, task = %task, "cannot drive a child task"),
        }
    })
}

/// Passes the gate once. Returns true if the ticket is live by then.
fn admit(tree: &Tree, limits: Limits, id: &TicketId, task: &TaskRef) -> Result<bool> {
    if tree.ticket(TicketFolder::Live, id)?.is_some() {
        return Ok(true);
    }
    planner::admit(tree, limits)?;
    if tree.ticket(TicketFolder::Live, id)?.is_some() {
        return Ok(true);
    }
    if tree.ticket(TicketFolder::Queue, id)?.is_none() {
        return Err(TreeError::NotFound { what: format!("ticket {id} of task {task}") }.into());
    }
    Ok(false)
}

/// Waits until the ticket is live. Returns false if the caller is told to go first.
async fn admitted(
    runner: &Runner,
    id: &TicketId,
    ticket: &Ticket,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<bool> {
    let root = runner.tree.root();
    // The ticket's own folder is watched, too, because STOP ends the wait.
    let folders = [top::queue(), top::live(), ticket.task().dir().path().clone()];
    let watched = hints.watch_all(folders.map(|folder| root.absolute(&folder))).await;
    let mut waiter = hints.waiter_of(&watched);
    let limits = Limits::of(&runner.config.defaults);
    loop {
        let (tree, id, task) = (runner.tree.clone(), id.clone(), ticket.task());
        if blocking::run(move || admit(&tree, limits, &id, &task)).await? {
            return Ok(true);
        }
        tokio::select! {
            () = detach.cancelled() => return Ok(false),
            () = waiter.next() => {}
        }
    }
}
