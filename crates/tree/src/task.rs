//! A task's own files: its prompt, its settings, its markers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{RunId, TaskId};
use base::record::{Record, Spelling};

/// The kind of work that a ticket of this task requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// A loop of runs until DONE.
    #[default]
    Task,
    /// One run.
    Job,
    /// The turns of a conversation.
    Session,
}

/// A request that may be sent again and is executed only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Idempotency {
    /// The key that the client gave to the request.
    pub key: String,
    /// Digest of the request's content. Another request almost certainly has another digest.
    pub digest: String,
}

/// A request that has resumed a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resumed {
    /// The key that the client gave to the request.
    pub key: String,
    /// Digest of the request's content.
    pub digest: String,
    /// The run that it created.
    pub run_id: RunId,
}

/// `TASK-CONFIG.yaml`: the settings of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskConfig {
    /// Format version; 1.
    pub version: u64,
    /// Name of the agent.
    pub agent: String,
    /// A loop or a single run.
    #[serde(default)]
    pub kind: TaskKind,
    /// Working folder of the agent in every run, by its canonical path. If it is absent, the folder of the oldest run
    /// is used, else the project's home, else the task's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cwd: Option<String>,
    /// Program and arguments, for an agent given on the command line.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub command: Vec<String>,
    /// Tasks of the same project that must be done first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub depends_on: Vec<TaskId>,
    /// The run of the agent that requested this task.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// The request that created the task, if the request has a key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// The last requests with a key that resumed the task, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resumed: Vec<Resumed>,
    /// Keys of `defaults` and `limits`, `model`, and `env.NAME`, for this task alone.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub config: BTreeMap<String, Value>,
    /// Keys that another version wrote. They are kept.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl Record for TaskConfig {
    const SPELLING: Spelling = Spelling::Yaml;
}
