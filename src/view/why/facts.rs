//! The facts behind the answer: those in a task's own files, and those around it.

use chrono::{DateTime, Utc};

use crate::tree::{
    Fault, Holder, Result, Tree, TreeError,
    ids::RunId,
    refs::TaskRef,
    run_info::RunStatus,
    task::TaskKind,
    task_end::TaskEnd,
    ticket::{Place, Ticket},
};

/// The condition that a queued ticket waits for, according to the planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// Nothing: a driver admits it at its next look.
    ForDriver,
    /// A place; 1 is the first in line.
    ForPlace(usize),
    /// Other tasks, for this reason.
    ForTasks(String),
}

/// A file of a task, or of the run that the answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Ticket,
    LiveTickets,
    Lock,
    Config,
    Done,
    Stop,
    End,
    RunInfo,
}

/// The facts in a task's own files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// A loop or a single run.
    pub kind: TaskKind,
    /// Its ticket, and the ticket's place.
    pub ticket: Option<(Place, Ticket)>,
    /// The holder of the task's lock, as the holder describes itself.
    pub driver: Option<Holder>,
    /// DONE is there.
    pub done: bool,
    /// STOP is there.
    pub stop: bool,
    /// The end of its last loop.
    pub end: Option<TaskEnd>,
    /// The run of the ticket, else the last one.
    pub run: Option<Attempt>,
    /// The reason that TASK-END.yaml cannot be read, if it exists.
    pub fault: Option<Fault>,
}

/// The facts about a run that the answer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its name.
    pub id: RunId,
    /// The time of its start.
    pub start: DateTime<Utc>,
    /// The status as shown to all readers.
    pub status: RunStatus,
    /// One sentence on its failure.
    pub error: Option<String>,
}

/// The facts around a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around<'a> {
    /// The planner's decision about a queued ticket.
    pub waits: Waits,
    /// The root tasks that are live.
    pub live: &'a [TaskRef],
    /// The tasks with a ticket that this task's runs started.
    pub children: Vec<TaskRef>,
    /// A daemon serves this root, and drives everything with a ticket.
    pub daemon: Served,
    /// The time.
    pub now: DateTime<Utc>,
}

/// States if a daemon serves a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// A daemon serves the root.
    Yes,
    /// No daemon serves the root.
    No,
}

/// All facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) task: &'a TaskRef,
    pub(super) own: &'a Own,
    pub(super) around: &'a Around<'a>,
}

impl Own {
    /// Reads a task's own files; its ticket and the run in question are known.
    ///
    /// # Errors
    /// If its folder cannot be read.
    pub fn read(
        tree: &Tree,
        task: &TaskRef,
        kind: TaskKind,
        ticket: Option<(Place, Ticket)>,
        run: Option<Attempt>,
    ) -> Result<Self> {
        let (root, dir) = (tree.root(), task.dir());
        // Without a ticket the driver of a task does not matter.
        let driver = if ticket.is_some() { tree.driver_of(task)? } else { None };
        let end = tree.task_end(task);
        let fault = end.as_ref().err().and_then(TreeError::fault);
        Ok(Self {
            kind,
            ticket,
            driver,
            done: root.exists(&dir.done())?,
            stop: root.exists(&dir.stop())?,
            // An unreadable record counts as none; it is reported elsewhere.
            end: end.ok().flatten(),
            run,
            fault,
        })
    }
}
