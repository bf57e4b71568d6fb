//! The launch spec tells a shim which program to run, with what limits. It travels in memory, never through the disk.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::fsx::RelPath;

/// How an agent gets its standard input.
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

/// Everything a shim needs to run an agent. The agent's environment is the shim's own.
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
    /// A file, relative to the root, whose existence asks for the end.
    pub stop_marker: RelPath,
    /// Longest time without output.
    pub idle_timeout: Option<Duration>,
    /// Longest time at all.
    pub max_run_time: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub stop_grace: Duration,
}

/// What a shim answers once, on its standard output, when the agent runs or never will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShimReport {
    /// The claim is ours and the agent was let go, or its failure to start is in `exit.json`.
    Claimed,
    /// Somebody else had the run.
    AlreadyClaimed,
    /// Nothing was claimed: the reason.
    Failed(String),
}
