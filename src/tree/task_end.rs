//! `TASK-END.yaml`: how a task's loop ended. Written before its ticket goes, removed when a new one comes.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, error::Result, ids::RunId, refs::TaskRef, task_lock::TaskLock};
use crate::record::{self, Record, Spelling};

/// How a loop can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndStatus {
    /// The work is finished.
    Completed,
    /// It was given up.
    Failed,
    /// Somebody stopped it, or a brake of `limits` did.
    Stopped,
}

/// The end of a loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskEnd {
    /// Format version; 1.
    pub version: u64,
    /// How it ended.
    pub status: EndStatus,
    /// Why, in one sentence.
    pub reason: String,
    /// Its last run.
    pub run_id: RunId,
    /// Number of that run in the loop.
    pub attempt: u32,
    /// When.
    pub ended_at: DateTime<Utc>,
}

impl Record for TaskEnd {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl Tree {
    /// How the task's last loop ended; `None` while one is wanted, or none ever ended.
    ///
    /// # Errors
    /// If the record cannot be understood.
    pub fn task_end(&self, task: &TaskRef) -> Result<Option<TaskEnd>> {
        Ok(record::read(self.root(), &task.dir().end())?)
    }
}

impl TaskLock {
    /// Writes how the loop ended.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write_end(&self, tree: &Tree, end: &TaskEnd) -> Result<()> {
        Ok(record::write(tree.root(), &self.task().dir().end(), end)?)
    }

    /// Forgets how the last loop ended, since another begins.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn clear_end(&self, tree: &Tree) -> Result<()> {
        tree.root().remove(&self.task().dir().end())?;
        Ok(())
    }
}
