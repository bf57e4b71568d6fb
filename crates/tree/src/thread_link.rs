//! `TASK-THREAD-LINK.yaml`: the message of another task that a task answers.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Tree,
    bus::MessageType,
    error::Result,
    ids::{MsgId, ProjectId, RunId, TaskId},
    refs::TaskRef,
};
use base::record::{self, Record, Spelling};

/// A message of another task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadParent {
    /// The project of that task.
    pub project_id: ProjectId,
    /// That task.
    pub task_id: TaskId,
    /// The run that posted the message.
    pub run_id: RunId,
    /// The message.
    pub message_id: MsgId,
}

impl ThreadParent {
    /// Returns the task that has the message.
    #[must_use]
    pub fn task(&self) -> TaskRef {
        TaskRef { project: self.project_id.clone(), task: self.task_id.clone() }
    }
}

/// The message that a task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadLink {
    /// Format version; 1.
    pub version: u64,
    /// The message.
    pub parent: ThreadParent,
    /// Its type: `QUESTION` or `FACT`.
    pub parent_message_type: MessageType,
    /// Time when the task was requested.
    pub created_at: DateTime<Utc>,
}

impl Record for ThreadLink {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl Tree {
    /// Returns the message that the task answers; `None` if it answers none.
    ///
    /// # Errors
    /// If the record cannot be parsed.
    pub fn thread_link(&self, task: &TaskRef) -> Result<Option<ThreadLink>> {
        Ok(record::read(self.root(), &task.dir().thread_link())?)
    }
}
