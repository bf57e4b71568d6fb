//! The daemon itself: its health, version and status.

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;
use tree::ids::{ProjectId, RunId, TaskId};

/// `GET /api/v1/health`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `ok`
    pub(crate) status: &'static str,
}

/// `GET /healthz`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Healthz {
    /// `ok`
    pub(crate) status: &'static str,
    /// Time since the start of the daemon, as in `42s`.
    pub(crate) uptime: String,
}

/// `GET /api/v1/version`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Version {
    /// The version of the daemon.
    pub(crate) version: &'static str,
}

/// `GET /api/v1/status`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status<'a> {
    /// Number of runs that are running.
    pub(crate) active_runs_count: usize,
    /// Seconds since the start of the daemon.
    pub(crate) uptime_seconds: f64,
    /// The agents that the configuration names.
    pub(crate) configured_agents: Vec<&'a str>,
    /// The version of the daemon.
    pub(crate) version: &'static str,
    /// The file system that the daemon sees, as an opaque word. A client on this machine that computes the same word
    /// sees the same files under the same paths. Absent: the daemon cannot determine it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_system: Option<&'a str>,
    /// The root of the tree that the daemon serves.
    pub(crate) root: String,
    /// The runs that are running.
    pub(crate) running_tasks: Vec<RunningTask<'a>>,
    /// Number of queued tasks.
    pub(crate) queued_tasks_count: usize,
    /// Number of live tasks.
    pub(crate) live_tasks_count: usize,
    /// Maximum number of live root tasks; absent: unlimited.
    pub(crate) max_concurrent_root_tasks: Option<u32>,
    /// Maximum number of live runs.
    pub(crate) max_concurrent_runs: Option<u32>,
}

/// A run that is running.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunningTask<'a> {
    /// Its project.
    pub(crate) project_id: &'a ProjectId,
    /// Its task.
    pub(crate) task_id: &'a TaskId,
    /// The run.
    pub(crate) run_id: &'a RunId,
    /// The agent of the run.
    pub(crate) agent: &'a str,
    /// The time of its start.
    pub(crate) started: Option<Time>,
}
