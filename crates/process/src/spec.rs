//! The launch spec names the program that a shim runs, and its limits. On this machine it travels in memory, never
//! through the disk.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use base::fsx::RelPath;

/// The argument after the run's folder that makes a shim read its launch from there and stay in the foreground.
pub const FROM_FOLDER: &str = "from-folder";

/// The source of an agent's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinPlan {
    /// `/dev/null`.
    Null,
    /// A file, relative to the run's folder.
    File(RelPath),
    /// A pipe that the shim fills with the whole lines of `stdin.jsonl`.
    Pump,
}

/// Everything that a shim needs to run an agent. The agent inherits the shim's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Absolute path of the root.
    pub root: PathBuf,
    /// The run's folder, relative to the root.
    pub run_dir: RelPath,
    /// Program (an absolute path) and arguments.
    pub argv: Vec<String>,
    /// Working folder, absolute.
    pub cwd: PathBuf,
    /// Standard input.
    pub stdin: StdinPlan,
    /// A file, relative to the root, that asks for the end by existing.
    pub stop_marker: RelPath,
    /// Longest time without output.
    pub idle_timeout: Option<Duration>,
    /// Longest time of the whole run.
    pub max_run_time: Option<Duration>,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// Longest time for which the agent may stay after its final result; absent: without limit.
    #[serde(default)]
    pub exit_grace: Option<Duration>,
    /// Time between two signs of life, for drivers that do not see the shim's process.
    #[serde(default)]
    pub heartbeat: Option<Duration>,
    /// The soft limit of open files of the agent, if the process that starts the shim has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
}

/// The shim's only answer, on its standard output, sent when the agent runs or never will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShimReport {
    /// The shim has claimed the run. The agent was started, or its failure to start is recorded in `exit.json`.
    Claimed,
    /// Another process has claimed the run.
    AlreadyClaimed,
    /// Nothing was claimed; with the reason.
    Failed(String),
}
