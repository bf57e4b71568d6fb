//! The result for each thing in a source, and the record of it that stays with a task.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use base::{
    fsx::FsError,
    record::{Record, RecordError, Spelling},
};
use tree::TreeError;

/// One thing in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The kind of thing.
    pub kind: Kind,
    /// Its name, or its path in the source.
    pub name: String,
    /// The result.
    pub outcome: Outcome,
    /// Reasons, and changes made during the import.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// True if a part of it was left out, as `notes` says: a run, or some messages.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// Kinds of things in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A project's own files.
    Project,
    /// A task with its runs.
    Task,
    /// A folder that is neither a project nor a task.
    Folder,
}

/// The result for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in the tree now, or would be in a dry run.
    Imported,
    /// An earlier import has imported it, and nothing was added since.
    AlreadyThere,
    /// It was skipped.
    Skipped,
}

impl Outcome {
    /// Returns the outcome as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::AlreadyThere => "already there",
            Self::Skipped => "skipped",
        }
    }
}

/// `IMPORT.yaml`: the origin of a task, or of a project's bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) version: u64,
    /// Absolute path of the folder that it was read from.
    pub(super) source: String,
    pub(super) imported_at: DateTime<Utc>,
    /// Changes made during the import.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) notes: Vec<String>,
}

impl Record for Origin {
    const SPELLING: Spelling = Spelling::Yaml;
}

/// The reason why a thing cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Fs(#[from] FsError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The reason in words.
    #[error("{0}")]
    Skipped(String),
}

impl ImportError {
    /// Formats the error with its causes, in one line.
    pub(super) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}
