//! Agents, activity of runs, the disk, and lines of logs: the page shows these beside tasks and runs.

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;
use crate::tree::{ids::ProjectId, usage::Usage};

/// `GET /api/v1/agents`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Agents {
    pub(in crate::http) agents: Vec<Agent>,
}

/// A configured agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Agent {
    /// Its name in the configuration.
    pub(in crate::http) name: String,
    #[serde(rename = "type")]
    pub(in crate::http) kind: &'static str,
    /// True if the program was found.
    pub(in crate::http) installed: bool,
    /// True for a `command` agent without a command: a job by hand supplies one, and no task can use the agent
    /// otherwise.
    pub(in crate::http) needs_command: bool,
    /// The path of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) program: Option<String>,
    /// The version that the program last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) version: Option<String>,
    /// True if a task could use the agent: it is installed, and can log in as far as the daemon can tell.
    pub(in crate::http) usable: bool,
    /// The reason that the agent cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) problem: Option<String>,
}

/// `GET /api/v1/activity`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Activity {
    pub(in crate::http) since: Time,
    /// Seconds.
    pub(in crate::http) step: usize,
    /// The steps in which a run ended, oldest first.
    pub(in crate::http) steps: Vec<Step>,
}

/// The runs that ended within one step of time.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Step {
    pub(in crate::http) start: Time,
    /// Number of ended runs.
    pub(in crate::http) ended: u64,
    /// Number of them that succeeded.
    pub(in crate::http) completed: u64,
    /// Number of them without a reported price.
    pub(in crate::http) unpriced: u64,
    pub(in crate::http) usage: Usage,
}

/// `GET /api/v1/disk`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Disk {
    /// The root of the tree.
    pub(in crate::http) root: String,
    pub(in crate::http) free_bytes: u64,
    pub(in crate::http) total_bytes: u64,
    pub(in crate::http) projects: Vec<DiskUse>,
}

/// The disk space of a project.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct DiskUse {
    pub(in crate::http) id: ProjectId,
    pub(in crate::http) bytes: u64,
}

/// `GET …/runs/{r}/lines/index`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LineIndex {
    /// Number of complete lines.
    pub(in crate::http) lines: u64,
    /// Offset of the byte after the last one.
    pub(in crate::http) end: u64,
    /// Size of the file in bytes.
    pub(in crate::http) size: u64,
    pub(in crate::http) every: usize,
    /// The offsets of the lines 0, `every`, 2 × `every`, …
    pub(in crate::http) offsets: Vec<u64>,
}

/// `GET …/runs/{r}/lines`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Lines {
    pub(in crate::http) lines: Vec<Line>,
    /// Offset of the byte after the last one.
    pub(in crate::http) end: u64,
}

/// A line, or its beginning.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Line {
    /// Offset of its first byte.
    pub(in crate::http) offset: u64,
    /// Its length in bytes, without its end.
    pub(in crate::http) length: u64,
    /// Its text, or the beginning of it.
    pub(in crate::http) text: String,
}

/// `GET …/runs/{r}/lines/search`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LineMatches {
    pub(in crate::http) matches: Vec<LineMatch>,
    /// True if there are other matches.
    pub(in crate::http) more: bool,
}

/// A line that contains the searched text.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LineMatch {
    /// Its number; 0 is the first.
    pub(in crate::http) line: u64,
    /// Offset of its first byte.
    pub(in crate::http) offset: u64,
}
