//! Agents, what runs came to, the disk, and lines of logs: what the page shows beside tasks and runs.

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
    /// Whether its program was found.
    pub(in crate::http) installed: bool,
    /// Whether it is a `command` agent without a command: each job by hand gives it one, and no task can use it otherwise.
    pub(in crate::http) needs_command: bool,
    /// Where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) program: Option<String>,
    /// The version that it said when it was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) version: Option<String>,
    /// Whether a task could use it: it is installed, and can log in as far as can be told.
    pub(in crate::http) usable: bool,
    /// Why it cannot be used as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) problem: Option<String>,
}

/// `GET /api/v1/activity`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Activity {
    pub(in crate::http) since: Time,
    /// Seconds.
    pub(in crate::http) step: usize,
    /// Those in which a run ended, oldest first.
    pub(in crate::http) steps: Vec<Step>,
}

/// What the runs that ended within one step of time came to.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Step {
    pub(in crate::http) start: Time,
    /// How many ended.
    pub(in crate::http) ended: u64,
    /// How many of them succeeded.
    pub(in crate::http) completed: u64,
    /// For how many no price was told.
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

/// What a project takes of the disk.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct DiskUse {
    pub(in crate::http) id: ProjectId,
    pub(in crate::http) bytes: u64,
}

/// `GET …/runs/{r}/lines/index`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LineIndex {
    /// How many lines there are whose end is there.
    pub(in crate::http) lines: u64,
    /// Offset of the byte behind the last one.
    pub(in crate::http) end: u64,
    /// Bytes of the file.
    pub(in crate::http) size: u64,
    pub(in crate::http) every: usize,
    /// Where line 0, `every`, 2 × `every`, … begin.
    pub(in crate::http) offsets: Vec<u64>,
}

/// `GET …/runs/{r}/lines`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Lines {
    pub(in crate::http) lines: Vec<Line>,
    /// Offset of the byte behind the last one.
    pub(in crate::http) end: u64,
}

/// A line, or its beginning.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Line {
    /// Offset of its first byte.
    pub(in crate::http) offset: u64,
    /// Its bytes, without its end.
    pub(in crate::http) length: u64,
    /// Its text, or the beginning of it.
    pub(in crate::http) text: String,
}

/// `GET …/runs/{r}/lines/search`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LineMatches {
    pub(in crate::http) matches: Vec<LineMatch>,
    /// Whether there are others.
    pub(in crate::http) more: bool,
}

/// A line that holds what was looked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct LineMatch {
    /// Its number; 0 is the first.
    pub(in crate::http) line: u64,
    /// Offset of its first byte.
    pub(in crate::http) offset: u64,
}
