//! `TASK-END.yaml`: the end of a task's loop. It is written before the ticket is removed, and deleted when a new ticket
//! comes.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, error::Result, ids::RunId, refs::TaskRef, task_lock::TaskLock};
use base::record::{self, Record, Spelling};

/// The outcome of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndStatus {
    /// The work is finished.
    Completed,
    /// The loop gave up.
    Failed,
    /// A stop request or a limit in `limits` ended the loop.
    Stopped,
}

/// The end of a loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskEnd {
    /// Format version; 1.
    pub version: u64,
    /// Outcome of the loop.
    pub status: EndStatus,
    /// The reason, in one sentence.
    pub reason: String,
    /// Its last run.
    pub run_id: RunId,
    /// Number of that run in the loop.
    pub attempt: u32,
    /// Time of the end.
    pub ended_at: DateTime<Utc>,
}

impl Record for TaskEnd {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl Tree {
    /// Returns the end of the task's last loop; `None` while a loop is wanted, or if none has ended.
    ///
    /// # Errors
    /// If the record cannot be parsed.
    pub fn task_end(&self, task: &TaskRef) -> Result<Option<TaskEnd>> {
        Ok(record::read_if_file(self.root(), &task.dir().end())?)
    }
}

impl TaskLock {
    /// Writes the end of the loop.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write_end(&self, tree: &Tree, end: &TaskEnd) -> Result<()> {
        Ok(record::write(tree.root(), &self.task().dir().end(), end)?)
    }

    /// Removes the end of the last loop, because another loop begins.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn clear_end(&self, tree: &Tree) -> Result<()> {
        tree.root().remove(&self.task().dir().end())?;
        Ok(())
    }
}
