//! `run-info.yaml`: the record of a run, in its form on disk.

use std::{collections::BTreeMap, time::Duration};

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
use base::record::{Record, Spelling};

/// The status of a run on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// The run is accepted and has no process yet.
    Created,
    /// A shim has claimed the run.
    Running,
    /// The process ended with exit status 0, and the agent's own last event agrees.
    Completed,
    /// The run ended in another way, or never started.
    Failed,
    /// The run ended because of a stop request.
    Stopped,
    /// No process saw the end of the run.
    Crashed,
}

impl RunStatus {
    /// Returns true if the status never changes any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Created | Self::Running)
    }

    /// Returns the status as text.
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

/// The ownership of the run's processes. Only managed processes may be signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProcessOwnership {
    /// A shim of this program started the processes.
    #[default]
    Managed,
    /// Another program started the processes. They are only watched.
    External,
}

/// The record of a run. Unknown values are absent, never a zero date.
///
/// Only the holder of the task's lock writes it. The version with a final status is the commit point of the run's end.
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
    /// Status of the run.
    pub status: RunStatus,
    /// Name of the agent in the configuration.
    pub agent: String,
    /// Type of the agent: `demo`, `command`, ….
    pub agent_type: AgentType,
    /// The version that the agent's program reports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent_version: Option<String>,
    /// The protocol between the driver and the agent: `exec`, …. Older records call it `driver`.
    #[serde(alias = "driver", default = "Protocol::usual")]
    pub protocol: Protocol,
    /// The executor that started the shim: `local`, ….
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
    /// Start of the agent's process in clock ticks since boot. Together with `pid` it identifies the process uniquely.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid_started: Option<u64>,
    /// Ownership of the processes. Only managed processes may be signalled.
    #[serde(default)]
    pub process_ownership: ProcessOwnership,
    /// The run of the agent that requested this run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_run_id: Option<RunId>,
    /// The attempt before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_run_id: Option<RunId>,
    /// The run that is replayed here. Usage and cost belong to that run, so sums do not count them twice.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay_of: Option<RunId>,
    /// Number of the attempt in its loop; 1 is the first.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Time when the run was claimed for its process; before that the time when the run was created.
    pub start_time: DateTime<Utc>,
    /// Time when the run ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_time: Option<DateTime<Utc>>,
    /// Exit code, if the process exited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Signal, if one ended the process.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// The reason why the run did not succeed, in one sentence.
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
    /// The class of the error, as the agent reports it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_class: Option<ErrorClass>,
    /// Time when a retry makes sense, as the agent reports it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_at: Option<DateTime<Utc>>,
    /// The agent's own name of the conversation. If the run resumes a conversation, it is present from the beginning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thread_id: Option<String>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// Tokens and money that the run used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage: Option<Usage>,
    /// Tokens and money that the conversation used over all its runs, if the agent counts them this way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thread_usage: Option<Usage>,
    /// The changes in the work folder, if it belongs to a git repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub git: Option<GitInfo>,
    /// True if processes of the run may be left that cannot be found: its shim was killed, and there was no control group.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub survivors_possible: bool,
    /// Things that its reader should know: files of the run that were not what they should be, for example.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// Keys that another version wrote. They are kept.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

impl RunInfo {
    /// Returns the full name of the run.
    #[must_use]
    pub fn run_ref(&self) -> RunRef {
        self.task_ref().run(self.run_id.clone())
    }

    /// Returns the full name of its task.
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef { project: self.project_id.clone(), task: self.task_id.clone() }
    }

    /// Returns the time from which a wait after the run counts: its end, but no time in the future, where an end lies after
    /// the clock has stepped back.
    #[must_use]
    pub fn ended_by(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.end_time.map_or(now, |end| end.min(now))
    }

    /// Returns the duration of an ended run; zero if its record has an end before its start.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.end_time.and_then(|end| (end - self.start_time).to_std().ok()).unwrap_or_default()
    }

    /// Returns the full name of the attempt before this one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use base::flat_record;

    /// A daemon reads such a record for each run when it starts; the YAML parser takes several times as long.
    #[test]
    fn the_record_of_a_plain_run_needs_no_yaml_parser() {
        let text = "version: 1\nrun_id: 20261201-1737080535-20195-0002\nproject_id: p\ntask_id: t\nstatus: completed\n\
            agent: command\nagent_type: command\nprotocol: exec\nexecutor: local\nhost: vm\npid: 20212\npgid: 20212\n\
            pid_started: 2161308\nprocess_ownership: managed\nattempt: 1\nstart_time: \"2026-12-01T17:37:08.069934804Z\"\n\
            end_time: \"2026-12-01T17:37:08.072746629Z\"\nexit_code: 0\ncwd: /w\nprompt_path: /r/prompt.md\n\
            output_path: /r/output.md\nstdout_path: /r/agent-stdout.txt\nstderr_path: /r/agent-stderr.txt\n\
            commandline: /usr/bin/sh -c echo hi\ngit:\n  not_recorded: no_repository\n";
        assert!(flat_record::parse::<RunInfo>(text).is_some());
    }
}
