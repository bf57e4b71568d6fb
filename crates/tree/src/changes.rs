//! The changes that a run made in its work folder, as far as git shows them: a part of run-info.yaml, and
//! `changes.json`.

use std::collections::BTreeMap;

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
    /// Changes outside of the compared files. Those in files are searched for only if nothing else has changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub elsewhere: Vec<ChangeElsewhere>,
    /// True if the run is known to have changed nothing: no file, also none that git ignores, no branch, and nothing in
    /// submodules and other worktrees.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unchanged: bool,
}

/// A change outside of the compared files. If another process has made it during the run, it is listed, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeElsewhere {
    /// The kind of place.
    pub kind: ElsewhereKind,
    /// The name of the reference, or the path of the first changed file that was found.
    pub name: String,
}

/// The kind of place of a change outside of the compared files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElsewhereKind {
    /// A branch, tag or other reference was created, moved or deleted.
    Reference,
    /// Another branch is checked out, at the same commit.
    Checkout,
    /// A file that git ignores.
    Ignored,
    /// A file in a submodule.
    Submodule,
    /// A file in a repository inside the work folder, or in a folder with too many files to compare.
    Folder,
    /// A file in another worktree of the repository.
    Worktree,
    /// A word of another version that this version does not know.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

impl ElsewhereKind {
    /// Returns the words that explain the name.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Reference => "a branch or tag",
            Self::Checkout => "checked out now",
            Self::Ignored => "ignored by git",
            Self::Submodule => "in a submodule",
            Self::Folder => "in a folder that is not compared",
            Self::Worktree => "in another worktree",
            Self::Other => "not in the comparison",
        }
    }
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
    /// The reason why there is no tree.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The time before the look; absent in records of older versions, as all that follows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<DateTime<Utc>>,
    /// Full name of the branch that was checked out, or `HEAD`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub branch: Option<String>,
    /// The references, each with its object; absent if there are too many.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refs: Option<BTreeMap<String, String>>,
    /// The parts that the tree does not have.
    #[serde(default)]
    pub left_out: LeftOutBefore,
}

/// The parts of a work folder that the snapshot before a run leaves out; `process::git::LeftOut` explains them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOutBefore {
    /// Files.
    pub files: Vec<String>,
    /// Folders.
    pub folders: Vec<String>,
    /// The first of the modified files that are left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modified_from: Option<String>,
    /// The first of the untracked files that are left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub untracked_from: Option<String>,
    /// Number of files that are left out and not named.
    pub more: u64,
}

impl Record for WorkFolderBefore {
    const SPELLING: Spelling = Spelling::Json;
}
