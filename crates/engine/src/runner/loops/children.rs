//! The tasks that a task's agents have started, found by their tickets, which name the parent run; and the request to
//! stop a task together with them.

use std::collections::HashSet;

use crate::runner::error::Result;
use tree::{Tree, TreeError, ids::RunId, refs::TaskRef, ticket::TicketFolder};
use view::{
    scan::{self, Tickets},
    task::TaskStatus,
};

/// Returns the tasks with a ticket that a run of this task started.
///
/// # Errors
/// If the planner's folders cannot be read.
pub fn live_children(tree: &Tree, task: &TaskRef) -> Result<Vec<TaskRef>> {
    let runs: HashSet<RunId> = tree.runs(task)?.into_iter().collect();
    let mut children = Vec::new();
    // Reads the queue first: a ticket that is admitted between the two listings is found in the second.
    for folder in [TicketFolder::Queue, TicketFolder::Live] {
        for ticket in tree.tickets(folder)?.into_iter().filter_map(|f| f.ticket.ok()) {
            let ours = ticket.parent_run_id.as_ref().is_some_and(|p| runs.contains(p));
            if ours && !children.contains(&ticket.task()) {
                children.push(ticket.task());
            }
        }
    }
    Ok(children)
}

/// The tasks that were asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The task and its live descendants, in the order in which they were marked.
    pub tasks: Vec<TaskRef>,
}

/// Writes STOP into a task and into all its live descendants.
///
/// # Errors
/// [`TreeError::NotFound`] if the task does not exist.
pub fn request_stop(tree: &Tree, task: &TaskRef) -> Result<Stopped> {
    let root = tree.root();
    if !root.exists(task.dir().path())? {
        // Its shim has noticed it, and the next driver gives up the ticket.
        return match tree.ticket_of(task)? {
            Some(_) => Ok(Stopped { tasks: vec![task.clone()] }),
            None => Err(TreeError::NotFound { what: format!("task {task}") }.into()),
        };
    }
    let mut tasks = vec![task.clone()];
    let mut at = 0;
    while let Some(parent) = tasks.get(at).cloned() {
        at += 1;
        match root.mark_anyhow(&parent.dir().stop(), &parent.dir().prompt()) {
            // Removed since the look above, or a child that was removed.
            Err(_) if !root.exists(parent.dir().path())? => continue,
            marked => marked?,
        };
        for child in live_children(tree, &parent)? {
            if !tasks.contains(&child) {
                tasks.push(child);
            }
        }
    }
    Ok(Stopped { tasks })
}

/// Returns the status of a task if it and its child tasks have ended: there is nothing to stop. `None` if
/// something may be left, which includes a run with an unreadable record.
///
/// # Errors
/// [`TreeError::NotFound`] if the task does not exist.
pub fn has_ended(tree: &Tree, task: &TaskRef) -> Result<Option<TaskStatus>> {
    let tickets = Tickets::read(tree)?;
    if tickets.has(task) && !tree.root().exists(task.dir().path())? {
        return Ok(None);
    }
    let entry = match scan::task(tree, task, &tickets) {
        // Removed since the look above.
        Err(TreeError::NotFound { .. }) if tickets.has(task) => return Ok(None),
        entry => entry?,
    };
    let is_over = entry.status.is_end()
        && entry.unreadable.is_none()
        && entry.runs.iter().all(|run| run.record.is_ok())
        && live_children(tree, task)?.is_empty();
    Ok(is_over.then_some(entry.status))
}
