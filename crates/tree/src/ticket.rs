//! Tickets: a file that requests a loop. No loop starts without a ticket.
//!
//! A ticket is accepted into `queue/`, renamed to `live/` on admission and removed when its loop has ended
//! ([`super::ticket_folders`]).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ids::{ProjectId, RunId, TaskId, TicketId},
    paths::top,
    refs::{RunRef, TaskRef},
    task::TaskKind,
};
use base::{
    fsx::RelPath,
    record::{Record, Spelling},
};

/// The request for a loop, with the loop's progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket {
    /// Format version; 1.
    pub version: u64,
    /// The project.
    pub project_id: ProjectId,
    /// The task.
    pub task_id: TaskId,
    /// The run that will start, or is in progress.
    pub run_id: RunId,
    /// A loop or a single run.
    pub kind: TaskKind,
    /// The run of the agent that requested the loop. Such a ticket does not wait for a place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// Tasks of the same project that must be done before it is admitted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub depends_on: Vec<TaskId>,
    /// Number of the attempt; 1 is the first.
    pub attempt: u32,
    /// Number of restarts so far that count against `max_restarts`.
    #[serde(default)]
    pub restarts: u32,
    /// Earliest time of the next start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<DateTime<Utc>>,
    /// The reason, in one sentence, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Record for Ticket {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl Ticket {
    /// Returns the task of the ticket.
    #[must_use]
    pub fn task(&self) -> TaskRef {
        TaskRef { project: self.project_id.clone(), task: self.task_id.clone() }
    }

    /// Returns the run of the ticket.
    #[must_use]
    pub fn run(&self) -> RunRef {
        self.task().run(self.run_id.clone())
    }
}

/// The folder of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketFolder {
    /// The ticket is accepted.
    Queue,
    /// The ticket is admitted.
    Live,
}

impl TicketFolder {
    pub(super) fn folder(self) -> RelPath {
        match self {
            Self::Queue => top::queue(),
            Self::Live => top::live(),
        }
    }

    /// Returns the file of a ticket in this folder.
    #[must_use]
    pub fn file(self, id: &TicketId) -> RelPath {
        top::ticket(&self.folder(), id)
    }
}
