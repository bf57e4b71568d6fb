//! The errors of a tree, sorted by the reaction that is possible for the user.

use std::path::PathBuf;

use super::ids::BadId;
pub use base::fsx::{FsError, FsErrorKind};
use base::{
    fsx::{BadRelPath, Holder},
    record::{BadRecord, RecordError},
};

/// Result of an operation on the tree.
pub type Result<T> = std::result::Result<T, TreeError>;

/// A file that exists but cannot be read as the record it should be. It is left unchanged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// The problem; fits after the path.
    pub problem: String,
}

/// A failed operation on the tree.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TreeError {
    /// An operation on the disk failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A text that is not an identifier.
    #[error(transparent)]
    BadId(#[from] BadId),
    /// A path that would leave the root.
    #[error(transparent)]
    BadPath(#[from] BadRelPath),
    /// A record that cannot be parsed. It is left unchanged.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// There is nothing by that name.
    #[error("there is no {what}")]
    NotFound {
        /// "task p/t", "run …", "message …".
        what: String,
    },
    /// A thing of that name exists already.
    #[error("{what} exists already")]
    Exists {
        /// "task p/t".
        what: String,
    },
    /// Another process holds the lock.
    #[error("{what} is held by {by}")]
    Locked {
        /// "task p/t".
        what: String,
        /// The process that holds it.
        by: Holder,
    },
    /// A value that cannot be stored as it was given.
    #[error("{0}")]
    Invalid(String),
}

impl From<RecordError> for TreeError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Fs(e) => e.into(),
            RecordError::Bad(e) => e.into(),
        }
    }
}

impl TreeError {
    /// Returns the fault of a file or folder that only a user can mend: it is of the wrong kind, or may not be read.
    #[must_use]
    pub fn lasting_fault(&self) -> Option<Fault> {
        match self {
            Self::Record(_) => self.fault(),
            Self::Fs(e) if e.is_wrong_kind() => self.fault(),
            Self::Fs(e) => match e.kind() {
                FsErrorKind::TooLarge | FsErrorKind::NotAFolder | FsErrorKind::Denied => self.fault(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the faulty file, if the error is about a file that exists.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Record(bad) => Some(Fault { path: bad.path().to_owned(), problem: bad.problem() }),
            Self::Fs(e) => {
                // A file for which there is no room, no descriptor, or no root at its path, is sound.
                let is_sound = matches!(
                    e.kind(),
                    FsErrorKind::NotFound | FsErrorKind::Full | FsErrorKind::Moved | FsErrorKind::TooManyOpen
                );
                let problem = format!("cannot be used ({}): {}", e.op, e.source);
                (!is_sound).then(|| Fault { path: e.path.clone(), problem })
            }
            _ => None,
        }
    }
}
