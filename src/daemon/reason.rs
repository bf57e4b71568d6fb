//! Explains the status of a task, with the planner's decision about a queued ticket. For HTTP and the command line.

use crate::{
    planner::{self, Limits, Standing},
    runner::{Result, Runner},
    tree::{refs::TaskRef, ticket::Place},
    view::why::{self, Reason, Waits},
};

/// Explains the status of a task, and names the files that prove it.
///
/// # Errors
/// If the task does not exist, or the planner's folders cannot be read.
pub fn reason(runner: &Runner, task: &TaskRef) -> Result<Reason> {
    let waits = match runner.tree.ticket_of(task)? {
        Some((_, Place::Queue, _)) => waits(runner, task)?,
        _ => Waits::ForDriver,
    };
    Ok(why::of_task(&runner.tree, task, waits)?)
}

fn waits(runner: &Runner, task: &TaskRef) -> Result<Waits> {
    let limits = Limits::of(&runner.config.defaults);
    let standings = planner::standings(&runner.tree, limits)?;
    let own = standings.into_iter().find(|(_, ticket, _)| ticket.task() == *task);
    Ok(match own {
        Some((.., Standing::Position(at))) => Waits::ForPlace(at),
        Some((.., Standing::Blocked(why))) => Waits::ForTasks(why),
        Some((.., Standing::Next)) | None => Waits::ForDriver,
    })
}
