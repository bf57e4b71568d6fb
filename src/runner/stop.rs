//! Asks a task to stop, by a marker in its folder and in those of the tasks that its runs have started.

use super::{children::live_children, error::Result};
use crate::tree::{Tree, TreeError, refs::TaskRef};

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
