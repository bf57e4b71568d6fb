//! The daemon itself: its health, version and status.

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
    /// Time since the start of the daemon, as in `42s`.
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
    /// Number of runs that are running.
    pub(in crate::http) active_runs_count: usize,
    /// Seconds since the start of the daemon.
    pub(in crate::http) uptime_seconds: f64,
    /// The agents that the configuration names.
    pub(in crate::http) configured_agents: Vec<&'a str>,
    /// The version of the daemon.
    pub(in crate::http) version: &'static str,
    /// The file system that the daemon sees, as an opaque word. A client on this machine that computes the same word
    /// sees the same files under the same paths. Absent: the daemon cannot determine it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) file_system: Option<&'a str>,
    /// The runs that are running.
    pub(in crate::http) running_tasks: Vec<RunningTask<'a>>,
    /// Number of queued tasks.
    pub(in crate::http) queued_tasks_count: usize,
    /// Number of live tasks.
    pub(in crate::http) live_tasks_count: usize,
    /// Maximum number of live root tasks; absent: unlimited.
    pub(in crate::http) max_concurrent_root_tasks: Option<u32>,
    /// Maximum number of live runs.
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
    /// The agent of the run.
    pub(in crate::http) agent: &'a str,
    /// The time of its start.
    pub(in crate::http) started: Option<Time>,
}
