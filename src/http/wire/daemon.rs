//! The daemon itself: whether it is there, and what it is at.

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;
use crate::tree::ids::{ProjectId, RunId, TaskId};

/// `GET /api/v1/health`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Health {
    /// `ok`
    pub(in crate::http) status: &'static str,
}

/// `GET /healthz`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Healthz {
    /// `ok`
    pub(in crate::http) status: &'static str,
    /// How long the daemon has been up, as in `42s`.
    pub(in crate::http) uptime: String,
}

/// `GET /api/v1/version`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Version {
    /// The version of the daemon.
    pub(in crate::http) version: &'static str,
}

/// `GET /api/v1/status`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Status<'a> {
    /// How many runs are running.
    pub(in crate::http) active_runs_count: usize,
    /// How long the daemon has been up.
    pub(in crate::http) uptime_seconds: f64,
    /// The agents that the configuration names.
    pub(in crate::http) configured_agents: Vec<&'a str>,
    /// The version of the daemon.
    pub(in crate::http) version: &'static str,
    /// Which file system the daemon sees, as an opaque word. A client on this machine that computes the same word sees the
    /// same files under the same paths; absent: the daemon cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) file_system: Option<&'a str>,
    /// The runs that are running.
    pub(in crate::http) running_tasks: Vec<RunningTask<'a>>,
    /// How many tasks wait.
    pub(in crate::http) queued_tasks_count: usize,
    /// How many tasks are live.
    pub(in crate::http) live_tasks_count: usize,
    /// How many root tasks may be live; absent: as many as there are.
    pub(in crate::http) max_concurrent_root_tasks: Option<u32>,
    /// How many runs may be live.
    pub(in crate::http) max_concurrent_runs: Option<u32>,
}

/// A run that is running.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct RunningTask<'a> {
    /// Its project.
    pub(in crate::http) project_id: &'a ProjectId,
    /// Its task.
    pub(in crate::http) task_id: &'a TaskId,
    /// The run.
    pub(in crate::http) run_id: &'a RunId,
    /// The agent that works on it.
    pub(in crate::http) agent: &'a str,
    /// When it was started.
    pub(in crate::http) started: Option<Time>,
}
