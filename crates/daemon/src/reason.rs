//! Explains the status of a task, with the planner's decision about a queued ticket. For HTTP and the command line.

use engine::{
    planner::{self, Limits},
    runner::{Result, Runner},
};
use tree::{refs::TaskRef, ticket::TicketFolder};
use view::{
    task::Standing,
    why::{self, Reason},
};

/// Explains the status of a task, and names the files that prove it.
///
/// # Errors
/// If the task does not exist, or the planner's folders cannot be read.
pub fn reason(runner: &Runner, task: &TaskRef) -> Result<Reason> {
    let standing = match runner.tree.ticket_of(task)? {
        Some((_, TicketFolder::Queue, _)) => standing(runner, task)?,
        _ => Standing::Live,
    };
    Ok(why::of_task(&runner.tree, task, standing)?)
}

/// Returns the gate's view of a queued task. A task that is no longer queued has been admitted.
fn standing(runner: &Runner, task: &TaskRef) -> Result<Standing> {
    let limits = Limits::of(&runner.config.defaults);
    let standings = planner::standings(&runner.tree, limits)?;
    let own = standings.into_iter().find(|(_, ticket, _)| ticket.task() == *task);
    Ok(own.map_or(Standing::Live, |(.., standing)| standing))
}
