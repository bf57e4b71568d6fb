//! The changes that a run made in its work folder, as far as git shows them: a part of run-info.yaml, and
//! `changes.json`.

use chrono::{DateTime, Utc};

use base::record::{Record, Spelling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The work folder of a run before and after it. Unknown values are absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GitInfo {
    /// The commit that was checked out before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head_before: Option<String>,
    /// The commit that was checked out after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head_after: Option<String>,
    /// Amount of changes, committed or not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diffstat: Option<DiffStat>,
    /// The reason why the changes are unknown; absent if they are known, and in records of older versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_recorded: Option<NotRecorded>,
    /// The parts that could not be examined, with the reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// The reason why the changes of a run are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotRecorded {
    /// The work folder was in no git repository when the run started.
    NoRepository,
    /// The git program was not installed.
    GitMissing,
    /// `defaults.record_changes` was false.
    Disabled,
    /// Git did not answer in time.
    Deadline,
    /// Git, or the disk, failed; the note has the error.
    Failed,
    /// A word of another version that this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// Amount of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DiffStat {
    /// Number of files.
    pub files: u64,
    /// Number of added lines.
    pub insertions: u64,
    /// Number of deleted lines.
    pub deletions: u64,
}

/// `changes.json`: the files that a run changed. The changes themselves are in `changes.patch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Format version; 1.
    pub version: u64,
    /// Top of the repository's work folder. The paths are relative to it.
    pub folder: String,
    /// Git's tree object of the work folder before the run, untracked files included.
    pub tree_before: String,
    /// Git's tree object of the work folder after the run, untracked files included.
    pub tree_after: String,
    /// Time of the second snapshot.
    pub taken_at: DateTime<Utc>,
    /// The files, in the order of their paths.
    pub files: Vec<ChangedFile>,
    /// True if more files changed than are listed here.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub more: bool,
}

/// A file that a run changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedFile {
    /// Its path.
    pub path: String,
    /// Its path before the run, if that differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old_path: Option<String>,
    /// The kind of change.
    pub change: ChangeKind,
    /// Number of added lines; absent for a file that is not text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub insertions: Option<u64>,
    /// Number of deleted lines; absent for a file that is not text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deletions: Option<u64>,
}

/// The kind of change to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The file is new.
    Added,
    /// Its content, mode or kind has changed.
    Modified,
    /// The file is gone.
    Deleted,
    /// The file has a new name, and maybe a new content.
    Renamed,
}

impl ChangeKind {
    /// Returns git's letter for the change.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Modified => 'M',
            Self::Deleted => 'D',
            Self::Renamed => 'R',
        }
    }
}

impl Record for Changes {
    const SPELLING: Spelling = Spelling::Json;
}

/// `git/before.json`: the work folder before the run, kept for the comparison after the run and removed afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkFolderBefore {
    /// Format version; 1.
    pub version: u64,
    /// The commit that was checked out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<String>,
    /// Git's tree object of the work folder. Its objects are beside this file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tree: Option<String>,
    /// The reason why there is no tree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_recorded: Option<NotRecorded>,
    /// The parts that could not be examined, with the reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

impl Record for WorkFolderBefore {
    const SPELLING: Spelling = Spelling::Json;
}
