//! Tasks and runs as in lists, read from disk.
//!
//! An unreadable record is an entry that says so; it hides no other.

use chrono::{DateTime, Utc};

use super::{
    dependency::Blockers,
    run::{Driven, RunFacts},
    task::{self, Dependencies, TaskFacts, TaskStatus},
};
use crate::tree::{
    Result, Tree, TreeError,
    refs::{RunRef, TaskRef},
    run_info::{RunInfo, RunStatus},
    task::{TaskConfig, TaskKind},
    ticket::{Place, Ticket},
};

/// A run as it is listed.
#[derive(Debug)]
pub struct RunEntry {
    /// Its name.
    pub run: RunRef,
    /// Its record and the status as shown to all readers, or the reason that it cannot be read.
    pub record: Result<(RunInfo, RunStatus)>,
}

/// A task as it is listed.
#[derive(Debug)]
pub struct TaskEntry {
    /// Its name.
    pub task: TaskRef,
    /// Its status.
    pub status: TaskStatus,
    /// Its settings, or the reason that they cannot be read.
    pub config: Result<TaskConfig>,
    /// Its runs, oldest first.
    pub runs: Vec<RunEntry>,
    /// Last start or end of a run.
    pub last_activity: Option<DateTime<Utc>>,
}

/// All tickets of a tree, read once for many tasks.
#[derive(Debug, Default)]
pub struct Tickets(Vec<(Place, Ticket)>);

impl Tickets {
    /// Reads the tickets; an unreadable one counts as none.
    ///
    /// # Errors
    /// If the planner's folders cannot be read.
    pub fn read(tree: &Tree) -> Result<Self> {
        let mut all = Vec::new();
        // Reads the queue first: a ticket that is admitted between the two listings is found in the second.
        for place in [Place::Queue, Place::Live] {
            all.extend(tree.tickets(place)?.into_iter().filter_map(|f| Some((place, f.ticket.ok()?))));
        }
        Ok(Self(all))
    }

    /// Returns the place of a task's ticket.
    #[must_use]
    pub fn place_of(&self, task: &TaskRef) -> Option<Place> {
        self.of(task).map(|(place, _)| *place)
    }

    fn of(&self, task: &TaskRef) -> Option<&(Place, Ticket)> {
        self.0.iter().rev().find(|(_, t)| t.task() == *task)
    }

    /// Returns true if a task is in the queue and waits for other tasks.
    fn is_blocked(&self, tree: &Tree, task: &TaskRef) -> Result<bool> {
        match self.of(task) {
            Some((Place::Queue, ticket)) if !ticket.depends_on.is_empty() => {
                Ok(Blockers::new(self.0.iter().map(|(_, t)| t)).of(tree, ticket)?.is_some())
            }
            _ => Ok(false),
        }
    }
}

/// Reads one run and its status.
#[must_use]
pub fn run(tree: &Tree, run: RunRef) -> RunEntry {
    let record = RunFacts::read(tree, &run).and_then(|facts| {
        // A driver matters only if the end is not committed yet.
        let driven = if facts.info.status.is_final() { Driven::No } else { Driven::of(tree, &run)? };
        let status = facts.shown_status(driven);
        Ok((facts.info, status))
    });
    RunEntry { run, record }
}

/// Reads one task with its runs and its status.
///
/// # Errors
/// [`TreeError::NotFound`] if the task does not exist.
pub fn task(tree: &Tree, task: &TaskRef, tickets: &Tickets) -> Result<TaskEntry> {
    let root = tree.root();
    let dir = task.dir();
    if !root.exists(dir.path())? {
        return Err(TreeError::NotFound { what: format!("task {task}") });
    }
    let config = tree.task_config(task);
    let runs: Vec<RunEntry> = tree.runs(task)?.into_iter().map(|id| run(tree, task.run(id))).collect();
    let known = || runs.iter().filter_map(|r| r.record.as_ref().ok());
    let kind = config.as_ref().map_or(TaskKind::Task, |c| c.kind);
    let status = status(tree, task, kind, tickets.place_of(task), &known().map(|(_, status)| *status))?;
    let blocked = status == TaskStatus::Queued && tickets.is_blocked(tree, task)?;
    let status = if blocked { TaskStatus::Blocked } else { status };
    let last_activity = known().map(|(i, _)| i.end_time.unwrap_or(i.start_time)).max();
    Ok(TaskEntry { task: task.clone(), status, config, runs, last_activity })
}

/// Returns the status of a task whose ticket and runs are known, without regard to dependencies. `runs` are the shown
/// statuses, oldest first.
///
/// # Errors
/// If its folder cannot be read.
pub fn status(
    tree: &Tree,
    task: &TaskRef,
    kind: TaskKind,
    ticket: Option<Place>,
    runs: &(impl Iterator<Item = RunStatus> + Clone),
) -> Result<TaskStatus> {
    let dir = task.dir();
    let root = tree.root();
    Ok(task::status(&TaskFacts {
        kind,
        ticket,
        // An unreadable record counts as none; `fsck` names it.
        end: tree.task_end(task).ok().flatten().map(|e| e.status),
        done: root.exists(&dir.done())?,
        stop: root.exists(&dir.stop())?,
        last_run: runs.clone().last(),
        any_running: runs.clone().any(|s| s == RunStatus::Running),
        dependencies: Dependencies::Met,
    }))
}
