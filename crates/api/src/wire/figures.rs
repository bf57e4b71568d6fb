//! Agents, activity of runs, the disk, and lines of logs: the page shows these beside tasks and runs.

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;
use tree::{ids::ProjectId, usage::Usage};

/// `GET /api/v1/agents`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Agents {
    pub(crate) agents: Vec<Agent>,
}

/// A configured agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Agent {
    /// Its name in the configuration.
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// True if the program was found.
    pub(crate) installed: bool,
    /// True for a `command` agent without a command: a job by hand supplies one, and no task can use the agent
    /// otherwise.
    pub(crate) needs_command: bool,
    /// The path of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<String>,
    /// The version that the program last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// True if a task could use the agent: it is installed, and can log in as far as the daemon can tell.
    pub(crate) usable: bool,
    /// The reason that the agent cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// `GET /api/v1/activity`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Activity {
    pub(crate) since: Time,
    /// Seconds.
    pub(crate) step: usize,
    /// The steps in which a run ended, oldest first.
    pub(crate) steps: Vec<Step>,
}

/// The runs that ended within one step of time.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Step {
    pub(crate) start: Time,
    /// Number of ended runs.
    pub(crate) ended: u64,
    /// Number of them that succeeded.
    pub(crate) completed: u64,
    /// Number of them without a reported price.
    pub(crate) unpriced: u64,
    pub(crate) usage: Usage,
}

/// `GET /api/v1/disk`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Disk {
    /// The root of the tree.
    pub(crate) root: String,
    pub(crate) free_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) projects: Vec<DiskUse>,
}

/// The disk space of a project.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskUse {
    pub(crate) id: ProjectId,
    pub(crate) bytes: u64,
}

/// `GET …/runs/{r}/lines/index`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LineIndex {
    /// Number of complete lines.
    pub(crate) lines: u64,
    /// Offset of the byte after the last one.
    pub(crate) end: u64,
    /// Size of the file in bytes.
    pub(crate) size: u64,
    pub(crate) every: usize,
    /// The offsets of the lines 0, `every`, 2 × `every`, …
    pub(crate) offsets: Vec<u64>,
}

/// `GET …/runs/{r}/lines`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<Line>,
    /// Offset of the byte after the last one.
    pub(crate) end: u64,
}

/// A line, or its beginning.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    /// Offset of its first byte.
    pub(crate) offset: u64,
    /// Its length in bytes, without its end.
    pub(crate) length: u64,
    /// Its text, or the beginning of it.
    pub(crate) text: String,
}

/// `GET …/runs/{r}/lines/search`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LineMatches {
    pub(crate) matches: Vec<LineMatch>,
    /// True if there are other matches.
    pub(crate) more: bool,
}

/// A line that contains the searched text.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LineMatch {
    /// Its number; 0 is the first.
    pub(crate) line: u64,
    /// Offset of its first byte.
    pub(crate) offset: u64,
}
