//! `run-info.yaml`: the record of a run, in its form on disk.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    changes::GitInfo,
    event::ErrorClass,
    ids::{ProjectId, RunId, TaskId},
    kinds::{AgentType, Executor, Protocol},
    refs::{RunRef, TaskRef},
    usage::Usage,
};
use crate::record::{Record, Spelling};

/// The word for a run's state on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Accepted; no process yet.
    Created,
    /// Claimed by a shim.
    Running,
    /// Exit status 0, and the agent's own last event agrees.
    Completed,
    /// Ended otherwise, or never started.
    Failed,
    /// Ended because somebody asked for it.
    Stopped,
    /// Its end was not seen by anybody.
    Crashed,
}

impl RunStatus {
    /// Whether nothing more will happen to the run.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Created | Self::Running)
    }

    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        }
    }
}

/// Whether the run's processes are ours to signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProcessOwnership {
    /// Started by a shim of ours.
    #[default]
    Managed,
    /// Started by somebody else; only watched.
    External,
}

/// The record of a run. What is not known yet is absent, never a zero date.
///
/// Only the holder of the task's lock writes it; the version with a final
/// status is the commit point of the run's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Format version; 1.
    pub version: u64,
    /// This run.
    pub run_id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its task.
    pub task_id: TaskId,
    /// Where it stands.
    pub status: RunStatus,
    /// Name of the agent in the configuration.
    pub agent: String,
    /// Type of the agent: `demo`, `command`, ….
    pub agent_type: AgentType,
    /// What the agent's program says of its version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent_version: Option<String>,
    /// How the driver talks to the agent: `exec`, …. Older records call it `driver`.
    #[serde(alias = "driver", default = "Protocol::usual")]
    pub protocol: Protocol,
    /// Where the shim was started: `local`, ….
    pub executor: Executor,
    /// Host of the shim.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// Process id of the agent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<i32>,
    /// Process group of the agent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pgid: Option<i32>,
    /// Start of the agent's process in clock ticks since boot; with `pid` it names the process for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid_started: Option<u64>,
    /// Whether the processes are ours to signal.
    #[serde(default)]
    pub process_ownership: ProcessOwnership,
    /// The run whose agent asked for this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// The attempt before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_run_id: Option<RunId>,
    /// The run that is played again here: what is told of usage and cost was that one's, and no sum counts it twice.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay_of: Option<RunId>,
    /// Number of the attempt in its loop; 1 is the first.
    #[serde(default = "first")]
    pub attempt: u32,
    /// When the agent's process began; until then when the run was made.
    pub start_time: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_time: Option<DateTime<Utc>>,
    /// Exit code, where the process exited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Signal, where one ended it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// One sentence on why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_summary: Option<String>,
    /// Working folder of the agent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cwd: Option<String>,
    /// Absolute path of `prompt.md`.
    pub prompt_path: String,
    /// Absolute path of `output.md`.
    pub output_path: String,
    /// Absolute path of `agent-stdout.txt`.
    pub stdout_path: String,
    /// Absolute path of `agent-stderr.txt`.
    pub stderr_path: String,
    /// The command, secrets redacted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commandline: Option<String>,
    /// What kind of thing went wrong, as the agent says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_class: Option<ErrorClass>,
    /// When it makes sense to try again, as the agent says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_at: Option<DateTime<Utc>>,
    /// The agent's own name of the conversation; there from the beginning where the run resumes one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thread_id: Option<String>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// What the run used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage: Option<Usage>,
    /// What the conversation has used over all its runs, where the agent counts so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thread_usage: Option<Usage>,
    /// What it changed in its work folder, where that is a git repository's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub git: Option<GitInfo>,
    /// Keys that another version wrote; they are kept.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl RunInfo {
    /// The full name of the run.
    #[must_use]
    pub fn run_ref(&self) -> RunRef {
        self.task_ref().run(self.run_id.clone())
    }

    /// The full name of its task.
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef { project: self.project_id.clone(), task: self.task_id.clone() }
    }

    /// The full name of the attempt before this one.
    #[must_use]
    pub fn previous_ref(&self) -> Option<RunRef> {
        Some(self.task_ref().run(self.previous_run_id.clone()?))
    }
}

fn first() -> u32 {
    1
}

impl Record for RunInfo {
    const SPELLING: Spelling = Spelling::Yaml;
}
