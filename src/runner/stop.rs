//! Asking a task to stop: a marker in its folder, and in those of the tasks that its runs have started.

use std::collections::HashSet;

use super::error::Result;
use crate::tree::{Tree, TreeError, ids::RunId, refs::TaskRef, ticket::Place};

/// What was asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The task and its live descendants, in the order in which they were marked.
    pub tasks: Vec<TaskRef>,
}

/// Writes STOP into a task and into its live child tasks, theirs included.
///
/// # Errors
/// [`TreeError::NotFound`] if there is no such task.
pub fn request_stop(tree: &Tree, task: &TaskRef) -> Result<Stopped> {
    let root = tree.root();
    if !root.exists(task.dir().path())? {
        return Err(TreeError::NotFound { what: format!("task {task}") }.into());
    }
    let mut tasks = vec![task.clone()];
    let mut at = 0;
    while let Some(parent) = tasks.get(at).cloned() {
        at += 1;
        root.mark(&parent.dir().stop())?;
        for child in live_children(tree, &parent)? {
            if !tasks.contains(&child) {
                tasks.push(child);
            }
        }
    }
    Ok(Stopped { tasks })
}

/// The tasks with a ticket that a run of this task asked for.
fn live_children(tree: &Tree, task: &TaskRef) -> Result<Vec<TaskRef>> {
    let runs: HashSet<RunId> =
        tree.root().list(&task.dir().runs())?.iter().filter_map(|e| e.name.parse().ok()).collect();
    let mut children = Vec::new();
    for place in [Place::Queue, Place::Live] {
        for ticket in tree.tickets(place)?.into_iter().filter_map(|f| f.ticket.ok()) {
            if ticket.parent_run_id.as_ref().is_some_and(|p| runs.contains(p)) {
                children.push(ticket.task());
            }
        }
    }
    Ok(children)
}
