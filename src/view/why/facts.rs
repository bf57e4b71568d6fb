//! What the answer is made from: what a task's own files say, and what is around it.

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

/// What a ticket in the queue waits for, as the planner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// Nothing: the next look of a driver admits it.
    ForDriver,
    /// A place; 1 is the first in line.
    ForPlace(usize),
    /// Other tasks: why.
    ForTasks(String),
}

/// A file of a task, or of the run that it is about.
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

/// What a task's own files say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// A loop or a single run.
    pub kind: TaskKind,
    /// Its ticket, and where it lies.
    pub ticket: Option<(Place, Ticket)>,
    /// Who holds the task's lock, in his own words.
    pub driver: Option<Holder>,
    /// DONE is there.
    pub done: bool,
    /// STOP is there.
    pub stop: bool,
    /// How its last loop ended.
    pub end: Option<TaskEnd>,
    /// The run of the ticket, else the last one.
    pub run: Option<Attempt>,
    /// Why TASK-END.yaml cannot be read, where it is there.
    pub fault: Option<Fault>,
}

/// A run, as far as the answer is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its name.
    pub id: RunId,
    /// When it began.
    pub start: DateTime<Utc>,
    /// The status that everybody is shown.
    pub status: RunStatus,
    /// One sentence on why it did not succeed.
    pub error: Option<String>,
}

/// What is around a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around<'a> {
    /// The planner's word on a ticket in the queue.
    pub waits: Waits,
    /// The root tasks that are live.
    pub live: &'a [TaskRef],
    /// The tasks with a ticket that this task's runs asked for.
    pub children: Vec<TaskRef>,
    /// A daemon serves this root: it drives whatever has a ticket.
    pub daemon: Served,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Whether a daemon serves a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// One does.
    Yes,
    /// None does.
    No,
}

/// All of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) task: &'a TaskRef,
    pub(super) own: &'a Own,
    pub(super) around: &'a Around<'a>,
}

impl Own {
    /// Reads a task's own files; its ticket and the run that it is about are known.
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
        // Where nothing is wanted of a task it does not matter who looks at it.
        let driver = if ticket.is_some() { tree.driver_of(task)? } else { None };
        let end = tree.task_end(task);
        let fault = end.as_ref().err().and_then(TreeError::fault);
        Ok(Self {
            kind,
            ticket,
            driver,
            done: root.exists(&dir.done())?,
            stop: root.exists(&dir.stop())?,
            // A record that cannot be read says nothing; it is named elsewhere.
            end: end.ok().flatten(),
            run,
            fault,
        })
    }
}
