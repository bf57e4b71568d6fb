//! Tasks and runs as in lists, read from disk.
//!
//! An unreadable record is an entry that says so; it hides no other.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    dependency::{Blockers, readable_tickets},
    run::{Driven, RunFacts},
    task::{self, Standing, TaskStatus},
    task_files::{self, Attempt, ShownRun},
};
use process::launch_files::JobRecord;
use tree::{
    Result, Tree, TreeError,
    ids::{RunId, TicketId},
    refs::{RunRef, TaskRef},
    run_info::{RunInfo, RunStatus},
    task::TaskConfig,
    ticket::{Ticket, TicketFolder},
};

/// A run as it is listed.
#[derive(Debug)]
pub struct RunEntry {
    /// Its name.
    pub run: RunRef,
    /// Its record and the status as shown to all readers, or the reason that it cannot be read.
    pub record: Result<(RunInfo, RunStatus)>,
    /// The executor's job, while the run waits there for its claim.
    pub job: Option<Arc<JobRecord>>,
}

/// A task as it is listed.
#[derive(Debug)]
pub struct TaskEntry {
    /// Its name.
    pub task: TaskRef,
    /// Its status.
    pub status: TaskStatus,
    /// The place of its ticket, if it has one.
    pub ticket: Option<TicketFolder>,
    /// Its settings, or the reason that they cannot be read.
    pub config: Result<TaskConfig>,
    /// Its runs, oldest first.
    pub runs: Vec<RunEntry>,
    /// Last start or end of a run.
    pub last_activity: Option<DateTime<Utc>>,
    /// The reason that its folder or one of its markers cannot be read, with the path.
    pub unreadable: Option<String>,
}

/// All tickets of a tree, read once for many tasks.
#[derive(Debug, Default)]
pub struct Tickets(Vec<(TicketId, Ticket)>);

impl Tickets {
    /// Reads the tickets; an unreadable one counts as none.
    ///
    /// # Errors
    /// If the planner's folders cannot be read.
    pub fn read(tree: &Tree) -> Result<Self> {
        // Reads the queue first: a ticket that is admitted between the two listings is found in the second.
        let mut all = readable_tickets(tree, TicketFolder::Queue)?;
        all.extend(readable_tickets(tree, TicketFolder::Live)?);
        Ok(Self(all))
    }

    /// Returns true if a task has a ticket.
    #[must_use]
    pub fn has(&self, task: &TaskRef) -> bool {
        self.id_of(task).is_some()
    }

    /// Returns the number of a task's ticket.
    fn id_of(&self, task: &TaskRef) -> Option<TicketId> {
        self.0.iter().rev().find(|(_, ticket)| ticket.task() == *task).map(|(id, _)| id.clone())
    }

    /// Returns the reason why a queued ticket waits for other tasks; `None` if it does not wait.
    fn blocked(&self, tree: &Tree, ticket: &Ticket) -> Result<Option<String>> {
        if ticket.depends_on.is_empty() {
            return Ok(None);
        }
        Blockers::new(self.0.iter().map(|(_, ticket)| ticket)).of(tree, ticket)
    }
}

/// Reads one run and its status.
#[must_use]
pub fn run(tree: &Tree, run: RunRef) -> RunEntry {
    let mut job = None;
    let record = RunFacts::read(tree, &run).and_then(|mut facts| {
        // A driver matters only if the end is not committed yet.
        let driven = if facts.info.status.is_final() { Driven::No } else { Driven::of(tree, &run)? };
        let status = facts.shown_status(driven);
        job = facts.job.take().map(Arc::new);
        let start_time = facts.start_time();
        Ok((RunInfo { start_time, ..facts.info }, status))
    });
    RunEntry { run, record, job }
}

/// Reads one task with its runs and its status.
///
/// # Errors
/// [`TreeError::NotFound`] if the task does not exist.
pub fn task(tree: &Tree, task: &TaskRef, tickets: &Tickets) -> Result<TaskEntry> {
    let runs = |_: Option<&(TicketFolder, Ticket)>| {
        let ids = tree.runs(task)?;
        Ok(ids.into_iter().map(|id| run(tree, task.run(id))).collect::<Vec<_>>())
    };
    let not_found = || TreeError::NotFound { what: format!("task {task}") };
    let mut look = task_files::look(tree, task, tickets.id_of(task), runs)?.ok_or_else(not_found)?;
    // A run that is not over has a ticket mostly; it may have come since the tickets were listed.
    let is_open = |run: &RunEntry| run.status().is_some_and(|status| !status.is_final());
    if look.files.ticket.is_none()
        && look.runs.iter().any(is_open)
        && let Some((id, ..)) = tree.ticket_of(task)?
    {
        look = task_files::look(tree, task, Some(id), runs)?.ok_or_else(not_found)?;
    }
    let standing = match &look.files.ticket {
        Some((TicketFolder::Queue, ticket)) => tickets.blocked(tree, ticket)?.map(Standing::Blocked),
        _ => None,
    };
    let mut facts = look.facts();
    // A job that was handed over to an executor starts without a driver.
    let is_handed_over = look.files.run.as_ref().is_some_and(|run| run.job.is_some());
    let is_left = facts.ticket == Some(TicketFolder::Live) && look.files.driver.is_none() && !is_handed_over;
    if is_left && !tree.daemon_is_there()? {
        facts.driven = Driven::No;
    }
    let status = task::status(&facts, standing.as_ref());
    let known = look.runs.iter().filter_map(|r| r.record.as_ref().ok());
    let last_activity = known.map(|(i, _)| i.end_time.unwrap_or(i.start_time)).max();
    let (task, ticket, unreadable) = (task.clone(), facts.ticket, look.files.unreadable);
    Ok(TaskEntry { task, status, ticket, config: look.config, runs: look.runs, last_activity, unreadable })
}

impl ShownRun for RunEntry {
    fn id(&self) -> &RunId {
        &self.run.run
    }

    fn status(&self) -> Option<RunStatus> {
        self.record.as_ref().ok().map(|(_, status)| *status)
    }

    fn attempt(&self) -> Option<Attempt> {
        let (info, status) = self.record.as_ref().ok()?;
        let (id, error) = (info.run_id.clone(), info.error_summary.clone());
        Some(Attempt { id, start: info.start_time, status: *status, error, job: self.job.clone() })
    }
}
