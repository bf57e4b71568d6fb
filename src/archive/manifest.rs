//! `manifest.json` of a bundle: what is in it, what is not, and what was done to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    record::{Record, Spelling},
    tree::ids::{ProjectId, RunId, TaskId},
};

/// Name of the file in the bundle.
pub(super) const FILE: &str = "manifest.json";

/// What a bundle is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Format version; 1.
    pub version: u64,
    /// Version of the program that made it.
    pub run_agent: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// The task's project.
    pub project_id: ProjectId,
    /// The task.
    pub task_id: TaskId,
    /// Its runs that are in it, oldest first.
    pub runs: Vec<RunId>,
    /// What was masked, and what was not, in words.
    pub redaction: String,
    /// The files.
    pub files: Vec<BundledFile>,
    /// What lies in the task's folder and is not in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<LeftOut>,
}

impl Manifest {
    /// The first thing in which the files that came, with their bytes, are not those that are listed.
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
    /// Bytes.
    pub size: u64,
    /// How many of them were masked.
    pub masked: u64,
}

/// What is not in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Its path in the tree.
    pub path: String,
    /// Why it is not there.
    pub why: String,
}

impl Record for Manifest {
    const SPELLING: Spelling = Spelling::Json;
}
