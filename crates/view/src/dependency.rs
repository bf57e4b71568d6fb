//! The dependencies of a task, and the sentence about those that are not done.

use std::collections::{HashMap, HashSet};

use tree::{
    Result, Tree, TreeError,
    ids::TaskId,
    refs::TaskRef,
    task_end::EndStatus,
    ticket::{Ticket, TicketFolder},
};

/// The state of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// Its work is finished: DONE exists, which is more than an exit.
    Done,
    /// It has a ticket, queued or live.
    Underway,
    /// Its loop ended without DONE.
    Ended(EndStatus),
    /// It exists, and has no ticket.
    Idle,
    /// The task does not exist: it was never created, or was deleted.
    Missing,
    /// Its folder cannot be read.
    Unreadable,
}

impl Dependency {
    /// Determines the state of a task that others depend on.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn look(tree: &Tree, task: &TaskRef, wanted: &HashSet<TaskRef>) -> Result<Self> {
        match Self::look_into(tree, task, wanted) {
            // One folder must not keep the gate from looking at other tickets.
            Err(e) if e.lasting_fault().is_some() => Ok(Self::Unreadable),
            look => look,
        }
    }

    fn look_into(tree: &Tree, task: &TaskRef, wanted: &HashSet<TaskRef>) -> Result<Self> {
        let root = tree.root();
        let dir = task.dir();
        if wanted.contains(task) {
            return Ok(Self::Underway);
        }
        if !root.exists(dir.path())? {
            return Ok(Self::Missing);
        }
        match tree.task_end(task) {
            Ok(Some(end)) if end.status == EndStatus::Completed => Ok(Self::Done),
            Ok(Some(end)) => Ok(Self::Ended(end.status)),
            // An unreadable record is no evidence, but DONE still is.
            _ if root.is_file(&dir.done())? => Ok(Self::Done),
            _ => Ok(Self::Idle),
        }
    }

    /// Returns the reason for which a task waits for `task`, which is in this state; `None` if it need not wait. If the
    /// wait cannot end by itself, the reason says so, and what to do.
    #[must_use]
    pub fn complaint(self, task: &TaskRef) -> Option<String> {
        let id = &task.task;
        let never =
            |how: &str, then: &str| format!("task {id} {how}, so it will not be done by itself: {then}");
        let resume = format!("`run-agent resume {task}` runs it again");
        Some(match self {
            Self::Done => return None,
            Self::Underway => format!("task {id} is not done yet"),
            Self::Ended(EndStatus::Failed) => never("failed", &resume),
            Self::Ended(EndStatus::Stopped) => never("was stopped", &resume),
            Self::Ended(EndStatus::Completed) | Self::Idle => {
                let done = format!("create the file DONE in the folder of {task} if its work is finished");
                never("has no ticket and was not run to its end", &done)
            }
            Self::Missing => format!("task {id} does not exist: create it as {task}, or stop this task"),
            Self::Unreadable => format!("task {id} cannot be read: `run-agent fsck` says why"),
        })
    }
}

/// The reasons for which the tickets of a tree wait for other tasks; each task is read once.
#[derive(Debug)]
pub struct Blockers {
    wanted: HashSet<TaskRef>,
    seen: HashMap<TaskRef, Dependency>,
}

impl Blockers {
    /// Remembers which tasks have tickets.
    #[must_use]
    pub fn new<'a>(tickets: impl IntoIterator<Item = &'a Ticket>) -> Self {
        Self { wanted: tickets.into_iter().map(Ticket::task).collect(), seen: HashMap::new() }
    }

    /// Returns the reason for which this ticket waits; `None` if all its dependencies are done.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn of(&mut self, tree: &Tree, ticket: &Ticket) -> Result<Option<String>> {
        let mut complaints = Vec::new();
        for id in &ticket.depends_on {
            let task = ticket.task().sibling(id.clone());
            let state = match self.seen.get(&task) {
                Some(state) => *state,
                None => Dependency::look(tree, &task, &self.wanted)?,
            };
            complaints.extend(state.complaint(&task));
            self.seen.insert(task, state);
        }
        Ok((!complaints.is_empty()).then(|| complaints.join("; ")))
    }
}

/// Returns the cycle that a task would close by depending on these tasks, first and last the same; `None` if there is
/// none.
///
/// # Errors
/// If a task's settings cannot be read.
pub fn cycle(tree: &Tree, task: &TaskRef, depends_on: &[TaskId]) -> Result<Option<Vec<TaskId>>> {
    let mut seen = HashSet::new();
    let mut todo: Vec<Vec<TaskId>> = depends_on.iter().map(|d| vec![task.task.clone(), d.clone()]).collect();
    while let Some(path) = todo.pop() {
        let Some(last) = path.last() else { continue };
        if *last == task.task {
            return Ok(Some(path));
        }
        if !seen.insert(last.clone()) {
            continue;
        }
        let next = match tree.task_config(&task.sibling(last.clone())) {
            Ok(config) => config.depends_on,
            Err(TreeError::NotFound { .. }) => Vec::new(),
            // Broken settings of one task must not keep another from being created; the ticket then says what it
            // waits for.
            Err(e) if e.fault().is_some() => Vec::new(),
            Err(e) => return Err(e),
        };
        todo.extend(next.into_iter().map(|id| [path.clone(), vec![id]].concat()));
    }
    Ok(None)
}

/// The readable tickets of a tree in one place, with their ids.
///
/// # Errors
/// If the planner's folders cannot be read.
pub fn readable_tickets(tree: &Tree, folder: TicketFolder) -> Result<Vec<(tree::ids::TicketId, Ticket)>> {
    Ok(tree.tickets(folder)?.into_iter().filter_map(|f| Some((f.id, f.ticket.ok()?))).collect())
}
