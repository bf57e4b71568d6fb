//! A task's own files: its prompt, its settings, its markers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{RunId, TaskId};
use crate::record::{Record, Spelling};

/// What a ticket of this task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// A loop: started again until DONE.
    #[default]
    Task,
    /// One run.
    Job,
}

/// A request that may be sent again and is done once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Idempotency {
    /// The name that its sender gave to it.
    pub key: String,
    /// What it asked for, as a number that another request hardly has.
    pub digest: String,
}

/// A request that has taken a task up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resumed {
    /// The name that its sender gave to it.
    pub key: String,
    /// What it asked for.
    pub digest: String,
    /// The run that it has made.
    pub run_id: RunId,
}

/// `TASK-CONFIG.yaml`: how a task is to be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskConfig {
    /// Format version; 1.
    pub version: u64,
    /// Name of the agent.
    pub agent: String,
    /// A loop or a single run.
    #[serde(default)]
    pub kind: TaskKind,
    /// Working folder of the agent in every run, by its canonical path. Absent: that of the oldest run, else the project's
    /// home, else the task's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cwd: Option<String>,
    /// Program and arguments, for an agent given on the command line.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub command: Vec<String>,
    /// Tasks of the same project that must be done before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub depends_on: Vec<TaskId>,
    /// The run whose agent asked for this task.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// Which request made it, where that said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// The last requests that have taken it up again, where they said which, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resumed: Vec<Resumed>,
    /// Keys of `defaults` and `limits`, `model`, and `env.NAME`, for this task alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub config: BTreeMap<String, Value>,
    /// Keys that another version wrote; they are kept.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Record for TaskConfig {
    const SPELLING: Spelling = Spelling::Yaml;
}
