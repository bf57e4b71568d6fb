//! `manifest.json` of a bundle: its files, the files that were left out, and the masking.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ProjectId, RunId, TaskId};
use base::record::{Record, Spelling};

/// Name of the file in the bundle.
pub(super) const FILE: &str = "manifest.json";

/// The description of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Format version; 1.
    pub version: u64,
    /// Version of the program that made the bundle.
    pub run_agent: String,
    /// Time of making.
    pub made_at: DateTime<Utc>,
    /// The task's project.
    pub project_id: ProjectId,
    /// The task.
    pub task_id: TaskId,
    /// The task's runs in the bundle, oldest first.
    pub runs: Vec<RunId>,
    /// The masked and the unmasked content, in words.
    pub redaction: String,
    /// The files.
    pub files: Vec<BundledFile>,
    /// Files in the task's folder that are not in the bundle.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<LeftOut>,
}

impl Manifest {
    /// Returns the first contradiction between the listed files and the unpacked files, given with their sizes.
    pub(super) fn contradiction(&self, came: &BTreeMap<String, u64>) -> Option<String> {
        let listed: BTreeMap<&str, u64> = self.files.iter().map(|f| (f.path.as_str(), f.size)).collect();
        let wrong = listed.iter().find_map(|(path, size)| match came.get(*path) {
            None => Some(format!("{path} is missing")),
            Some(is) if is != size => Some(format!("{path} has {is} bytes, and {FILE} says {size}")),
            Some(_) => None,
        });
        let known = |path: &str| path == FILE || listed.contains_key(path);
        wrong.or_else(|| {
            came.keys().find(|p| !known(p)).map(|path| format!("{path} is not listed in its {FILE}"))
        })
    }
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundledFile {
    /// Its path in the bundle.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Number of masked bytes.
    pub masked: u64,
}

/// A file that is not in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Its path in the tree.
    pub path: String,
    /// The reason.
    pub why: String,
}

impl Record for Manifest {
    const SPELLING: Spelling = Spelling::Json;
}
