//! The tasks that a task's agents have started, found by their tickets, which name the parent run.

use std::collections::HashSet;

use super::error::Result;
use crate::tree::{Tree, ids::RunId, refs::TaskRef, ticket::Place};

/// Returns the tasks with a ticket that a run of this task started.
///
/// # Errors
/// If the planner's folders cannot be read.
pub fn live_children(tree: &Tree, task: &TaskRef) -> Result<Vec<TaskRef>> {
    let runs: HashSet<RunId> = tree.runs(task)?.into_iter().collect();
    let mut children = Vec::new();
    // Reads the queue first: a ticket that is admitted between the two listings is found in the second.
    for place in [Place::Queue, Place::Live] {
        for ticket in tree.tickets(place)?.into_iter().filter_map(|f| f.ticket.ok()) {
            let ours = ticket.parent_run_id.as_ref().is_some_and(|p| runs.contains(p));
            if ours && !children.contains(&ticket.task()) {
                children.push(ticket.task());
            }
        }
    }
    Ok(children)
}
