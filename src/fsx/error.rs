//! What went wrong with which file, in a shape that an exit code can be chosen from.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Result of an operation of this module.
pub type Result<T> = std::result::Result<T, FsError>;

/// A failed file operation: what was tried, on which path, and what the kernel said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {op} {}", path.display())]
pub struct FsError {
    /// What was tried, as a verb that fits after "cannot".
    pub op: &'static str,
    /// The absolute path it was tried on.
    pub path: PathBuf,
    /// What the kernel answered; shared, since one failure may concern many that were served together.
    pub source: Arc<io::Error>,
}

/// The causes that a caller or a user treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsErrorKind {
    /// Nothing is there.
    NotFound,
    /// No room: disk full, quota or a file size limit.
    Full,
    /// Not permitted, or a file system mounted read-only.
    Denied,
    /// A file stands where a folder is needed.
    NotAFolder,
    /// A folder, a pipe or a socket stands where a file is needed.
    NotAFile,
    /// A link or `..` led out of the root.
    Escapes,
    /// The file is larger than its reader takes.
    TooLarge,
    /// Anything else.
    Other,
}

impl FsError {
    pub(super) fn new(op: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { op, path: path.to_owned(), source: Arc::new(source.into()) }
    }

    /// Sorts the error by what can be done about it.
    #[must_use]
    pub fn kind(&self) -> FsErrorKind {
        use nix::errno::Errno;
        match self.source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => FsErrorKind::NotFound,
            Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => FsErrorKind::Full,
            Some(Errno::EACCES | Errno::EPERM | Errno::EROFS) => FsErrorKind::Denied,
            Some(Errno::ENOTDIR) => FsErrorKind::NotAFolder,
            // The latter for a socket, and for a device that is none.
            Some(Errno::EISDIR | Errno::ENXIO) => FsErrorKind::NotAFile,
            Some(Errno::EXDEV | Errno::ELOOP) => FsErrorKind::Escapes,
            Some(_) => FsErrorKind::Other,
            None => match self.source.kind() {
                io::ErrorKind::FileTooLarge => FsErrorKind::TooLarge,
                io::ErrorKind::InvalidInput => FsErrorKind::NotAFile,
                _ => FsErrorKind::Other,
            },
        }
    }
}

/// Turns "not there" into `None` and leaves every other error alone.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == FsErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
