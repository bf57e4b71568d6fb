//! Gives up a loop of which a record cannot be read, so that it holds no place for ever: it is put right by a person.

use super::{
    Runner,
    error::{Result, RunnerError},
};
use crate::{
    process::liveness::{self, Liveness},
    tree::{
        Fault, FsErrorKind, TreeError,
        bus::{Draft, MessageType},
        task_end::{EndStatus, TaskEnd},
        task_lock::TaskLock,
        ticket::Ticket,
    },
    view::run,
};

/// Ends the loop of a ticket whose drive met this error, if that is for good: a file is not what it should be, and none
/// of the run's processes is there any more, whose end could still be told. `false`: it is not, and goes on.
///
/// # Errors
/// If the end cannot be written.
pub fn give_up(runner: &Runner, lock: &TaskLock, ticket: &Ticket, error: &RunnerError) -> Result<bool> {
    let Some(fault) = lasting(error) else { return Ok(false) };
    let alive = match run::claim(&runner.tree, &ticket.run()) {
        Ok(claim) => claim.is_some_and(|c| liveness::of(&c) != Liveness::Gone),
        // Nobody can say whose processes they would be.
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
    // A bus that takes no message must not keep the loop.
    if let Err(e) = runner.tree.task_bus(lock.task()).post(&draft) {
        tracing::warn!(error = %e, task = %lock.task(), "the end of a loop cannot be posted");
    }
    lock.write_end(&runner.tree, &end)?;
    Ok(true)
}

/// The file at fault, if looking again in a moment does not help.
fn lasting(error: &RunnerError) -> Option<Fault> {
    match error {
        RunnerError::Tree(e @ TreeError::Record(_)) => e.fault(),
        RunnerError::Tree(TreeError::Fs(e)) if e.kind() == FsErrorKind::TooLarge => {
            Some(Fault { path: e.path.clone(), problem: format!("cannot be used: {}", e.source) })
        }
        // The next run would work in no other folder.
        RunnerError::TaskFolder { path, problem, .. } => {
            Some(Fault { path: path.clone(), problem: problem.clone() })
        }
        _ => None,
    }
}
