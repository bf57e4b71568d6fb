//! The facts behind the answer: those in a task's own files, and those around it.

use chrono::{DateTime, Utc};

use crate::{task::Standing, task_files::TaskFiles};
use tree::refs::TaskRef;

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
    Job,
    Events,
}

/// The facts around a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings<'a> {
    /// The gate's view of the ticket. It matters only for a queued one.
    pub standing: Standing,
    /// The root tasks that are live.
    pub live: &'a [TaskRef],
    /// The number of the task's runs, of all its loops.
    pub runs: usize,
    /// The tasks with a ticket that this task's runs started.
    pub children: Vec<TaskRef>,
    /// A daemon serves this root, and drives everything with a ticket.
    pub daemon: DaemonPresence,
    /// The time.
    pub now: DateTime<Utc>,
    /// The error that the live run's agent printed last, if it has done nothing since.
    pub last_error: Option<LastError>,
}

/// An error that an agent has printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// Its time, if it is known.
    pub at: Option<DateTime<Utc>>,
    /// The first line of the agent's message.
    pub message: String,
}

/// States if a daemon serves a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DaemonPresence {
    /// A daemon serves the root.
    Running,
    /// No daemon serves the root.
    Absent,
}

/// All facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) task: &'a TaskRef,
    pub(super) own: &'a TaskFiles,
    pub(super) around: &'a Surroundings<'a>,
}
