//! What a run changed in its work folder, as far as git can tell: the part of run-info.yaml, and `changes.json`.

use chrono::{DateTime, Utc};

use crate::record::{Record, Spelling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The work folder of a run before and after it. What is not known is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GitInfo {
    /// The commit that was checked out before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head_before: Option<String>,
    /// The commit that was checked out after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head_after: Option<String>,
    /// How much changed, committed or not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diffstat: Option<DiffStat>,
    /// Why it is not known what changed; absent where it is known, and in records of older versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_recorded: Option<NotRecorded>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Why it is not known what a run changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotRecorded {
    /// Its work folder was in no git repository when it started.
    NoRepository,
    /// The git program was not installed.
    GitMissing,
    /// `defaults.record_changes` was false.
    Disabled,
    /// Git did not answer in time.
    Deadline,
    /// Git, or the disk, failed; the note has the words.
    Failed,
    /// Another version wrote a word that this one does not know.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// How much changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DiffStat {
    /// Files.
    pub files: u64,
    /// Lines that came.
    pub insertions: u64,
    /// Lines that went.
    pub deletions: u64,
}

/// `changes.json`: every file that a run changed. The changes themselves are in `changes.patch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Format version; 1.
    pub version: u64,
    /// Top of the repository's work folder, which the paths are below.
    pub folder: String,
    /// Git's tree object of the work folder before the run, untracked files included.
    pub tree_before: String,
    /// The same after it.
    pub tree_after: String,
    /// When the folder was looked at for the second time.
    pub taken_at: DateTime<Utc>,
    /// The files, in the order of their paths.
    pub files: Vec<ChangedFile>,
    /// There are more files than stand here.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub more: bool,
}

/// A file that a run changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedFile {
    /// Its path.
    pub path: String,
    /// The path that it had before the run, if that is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old_path: Option<String>,
    /// What was done to it.
    pub change: ChangeKind,
    /// Lines that came; absent for a file that is no text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub insertions: Option<u64>,
    /// Lines that went.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deletions: Option<u64>,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content, mode or kind is another.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and maybe another content.
    Renamed,
}

impl ChangeKind {
    /// The letter that git shows for it.
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

/// `git/before.json`: the work folder as it was before the run, for whoever looks at it afterwards. Gone then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkFolderBefore {
    /// Format version; 1.
    pub version: u64,
    /// The commit that was checked out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<String>,
    /// Git's tree object of it; its objects lie beside this file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tree: Option<String>,
    /// Why there is no tree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_recorded: Option<NotRecorded>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

impl Record for WorkFolderBefore {
    const SPELLING: Spelling = Spelling::Json;
}
