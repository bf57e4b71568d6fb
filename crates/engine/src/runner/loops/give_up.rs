//! Gives up a loop with an unreadable record, so that it does not hold a place for ever. A user has to restore the
//! record.

use crate::runner::{
    Runner,
    error::{Result, RunnerError},
};
use process::liveness::{self, Liveness};
use tree::{
    Fault, FsErrorKind, TreeError,
    bus::{Draft, MessageType},
    task_end::{EndStatus, TaskEnd},
    task_lock::TaskLock,
    ticket::Ticket,
};
use view::run;

/// Ends the loop of a ticket after this error of its driver, if the error is permanent. That is the case if a file
/// has invalid content, and none of the run's processes is alive to report an end. Returns false if the loop
/// continues.
///
/// # Errors
/// If the end cannot be written.
pub fn give_up(runner: &Runner, lock: &TaskLock, ticket: &Ticket, error: &RunnerError) -> Result<bool> {
    let Some(fault) = lasting(error) else { return Ok(false) };
    let alive = match run::claim(&runner.tree, &ticket.run()) {
        Ok(claim) => claim.is_some_and(|c| liveness::of(&c) != Liveness::Gone),
        // Without a readable claim the run's processes are unknown.
        Err(_) => false,
    };
    if alive {
        return Ok(false);
    }
    let end = TaskEnd {
        version: 1,
        status: EndStatus::Failed,
        reason: format!("{} {}: fix this, then resume the task", fault.path.display(), fault.problem),
        run_id: ticket.run_id.clone(),
        attempt: ticket.attempt,
        ended_at: runner.tree.clock().now(),
    };
    let text = format!("task {} failed: {}", lock.task().task, end.reason);
    let draft = Draft::new(MessageType::ERROR, runner.redactor.text(&text)).by_run(&end.run_id);
    // A bus that accepts no message must not keep the loop alive.
    if let Err(e) = runner.tree.task_bus(lock.task()).post(&draft) {
        tracing::warn!(error = %e, task = %lock.task(), "the end of a loop cannot be posted");
    }
    lock.write_end(&runner.tree, &end)?;
    Ok(true)
}

/// Returns the file at fault, if the error is permanent.
fn lasting(error: &RunnerError) -> Option<Fault> {
    match error {
        RunnerError::Tree(e @ TreeError::Record(_)) => e.fault(),
        RunnerError::Tree(TreeError::Fs(e)) if e.kind() == FsErrorKind::TooLarge => {
            Some(Fault { path: e.path.clone(), problem: format!("cannot be used: {}", e.source) })
        }
        // The next run would fail in the same way, because it works in no other folder.
        RunnerError::TaskFolder { path, problem, .. } => {
            Some(Fault { path: path.clone(), problem: problem.clone() })
        }
        _ => None,
    }
}
