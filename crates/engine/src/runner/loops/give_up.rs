//! Gives up a loop that no driver can continue: a record is unreadable, or the folder of its task or run is gone. So it
//! does not hold a place for ever. A user has to restore what is missing.

use std::time::{Duration, Instant};

use crate::runner::{
    Runner,
    error::{Result, RunnerError},
};
use process::{
    liveness::{self, Liveness},
    tree::ProcTable,
};
use tree::{
    Fault, Tree, TreeError,
    bus::{Draft, MessageType},
    ids::TicketId,
    refs::RunRef,
    task_end::{EndStatus, TaskEnd},
    task_lock::TaskLock,
    ticket::{Ticket, TicketFolder},
};
use view::run;

/// Maximum time to wait for the processes of a run after its folder was removed. Its shim ends them.
const SHIM_ENDS_WITHIN: Duration = Duration::from_secs(20);
/// Period of the checks of these processes.
const LOOK: Duration = Duration::from_millis(50);

/// Ends the loop of a ticket after this error of its driver, if the error is permanent. That is the case if a file
/// has invalid content, or a folder is gone, and none of the run's processes is alive to report an end. Returns false
/// if the loop continues.
///
/// # Errors
/// If the end cannot be written.
pub fn give_up(runner: &Runner, lock: &TaskLock, ticket: &Ticket, error: &RunnerError) -> Result<bool> {
    let tree = &runner.tree;
    let reason = match lasting(error) {
        Some(fault) => format!("{} {}: fix this, then resume the task", fault.path.display(), fault.problem),
        None => match gone(tree, ticket)? {
            Some(Gone::Task) => {
                wait_for_processes(&ticket.run());
                return close_lost(runner, None, ticket, GONE);
            }
            Some(Gone::Run) => {
                wait_for_processes(&ticket.run());
                format!("the folder of run {} was removed while the run was wanted", ticket.run_id)
            }
            None => return Ok(false),
        },
    };
    // The task's folder is looked at between two runs: the last one has ended, although its shim may need a moment more.
    let between_runs = matches!(error, RunnerError::TaskFolder { .. });
    if !between_runs && is_alive(tree, &ticket.run()) {
        return Ok(false);
    }
    let end = TaskEnd {
        version: 1,
        status: EndStatus::Failed,
        reason,
        run_id: ticket.run_id.clone(),
        attempt: ticket.attempt,
        ended_at: tree.clock().now(),
    };
    let text = format!("task {} failed: {}", lock.task().task, end.reason);
    let draft = Draft::new(MessageType::ERROR, runner.redactor.text(&text)).by_run(&end.run_id);
    // A bus that accepts no message must not keep the loop alive.
    if let Err(e) = tree.task_bus(lock.task()).post(&draft) {
        tracing::warn!(error = %e, task = %lock.task(), "cannot post the end of a task to its message bus");
    }
    lock.write_end(tree, &end)?;
    Ok(true)
}

/// The reason for giving up a task without a folder.
const GONE: &str = "its folder was removed";

/// Removes the ticket of a task with a lock that cannot be taken, as its folder is gone or cannot be used, and posts the
/// reason to the bus of its project. Returns false if the error may pass, or a process of the run is alive.
///
/// # Errors
/// If the ticket cannot be removed.
pub fn give_up_lost(
    runner: &Runner,
    place: TicketFolder,
    id: &TicketId,
    ticket: &Ticket,
    error: &TreeError,
) -> Result<bool> {
    let reason = match (gone(&runner.tree, ticket), error.lasting_fault()) {
        (Ok(Some(Gone::Task)), _) => GONE.to_owned(),
        (_, Some(fault)) => format!("{} {}", fault.path.display(), fault.problem),
        _ => return Ok(false),
    };
    if is_alive(&runner.tree, &ticket.run()) {
        return Ok(false);
    }
    close_lost(runner, Some((place, id)), ticket, &reason)
}

/// Posts the reason, and removes the ticket if its number is given. A caller without it removes the ticket itself.
fn close_lost(
    runner: &Runner,
    number: Option<(TicketFolder, &TicketId)>,
    ticket: &Ticket,
    reason: &str,
) -> Result<bool> {
    let task = ticket.task();
    tracing::warn!(task = %task, reason, "a task is given up");
    let text = format!("task {} is given up: {reason}", task.task);
    let draft = Draft::new(MessageType::ERROR, runner.redactor.text(&text));
    if let Err(e) = runner.tree.project_bus(&task.project).post(&draft) {
        tracing::warn!(error = %e, task = %task, "the end of a lost task cannot be posted");
    }
    if let Some((place, id)) = number {
        runner.tree.close_ticket(place, id)?;
    }
    Ok(true)
}

/// The folder of a ticket that is gone.
enum Gone {
    Task,
    Run,
}

fn gone(tree: &Tree, ticket: &Ticket) -> Result<Option<Gone>> {
    let (root, run) = (tree.root(), ticket.run());
    Ok(match () {
        () if !root.exists(run.task.dir().path())? => Some(Gone::Task),
        () if !root.exists(run.dir().path())? => Some(Gone::Run),
        () => None,
    })
}

/// Returns true if a process of the run is known to be alive. Without a readable claim its processes are found by their
/// environment.
fn is_alive(tree: &Tree, run: &RunRef) -> bool {
    match run::claim(tree, run) {
        Ok(Some(claim)) => liveness::of(&claim) != Liveness::Gone,
        Ok(None) | Err(_) => !ProcTable::snapshot().of_run(run.run.as_str()).is_empty(),
    }
}

fn wait_for_processes(run: &RunRef) {
    let began = Instant::now();
    while began.elapsed() < SHIM_ENDS_WITHIN && !ProcTable::snapshot().of_run(run.run.as_str()).is_empty() {
        std::thread::sleep(LOOK);
    }
}

/// Returns the file at fault, if the error is permanent.
fn lasting(error: &RunnerError) -> Option<Fault> {
    match error {
        RunnerError::Tree(e) => e.lasting_fault(),
        // The next run would fail in the same way, because it works in no other folder.
        RunnerError::TaskFolder { path, problem, .. } => {
            Some(Fault { path: path.clone(), problem: problem.clone() })
        }
        _ => None,
    }
}
