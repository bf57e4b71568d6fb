//! File errors: the operation, the path and the cause, in a form from which an exit code can be chosen.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Result of an operation of this module.
pub type Result<T> = std::result::Result<T, FsError>;

/// A failed file operation: the operation, the path, and the kernel's error.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {op} {}", path.display())]
pub struct FsError {
    /// The operation, as a verb that fits after "cannot".
    pub op: &'static str,
    /// The absolute path of the operation.
    pub path: PathBuf,
    /// The kernel's error. It is shared, because one failed sync may concern several callers.
    pub source: Arc<io::Error>,
}

/// The causes that callers or users handle differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsErrorKind {
    /// The path does not exist.
    NotFound,
    /// This process, or the system, has too many open files.
    TooManyOpen,
    /// No space: disk full, quota or a file size limit.
    Full,
    /// Not permitted, or a file system mounted read-only.
    Denied,
    /// A file exists where a folder is needed.
    NotAFolder,
    /// A folder, a pipe or a socket exists where a file is needed.
    NotAFile,
    /// A link or `..` led out of the root.
    Escapes,
    /// The file is larger than its reader accepts.
    TooLarge,
    /// The path lies in a further tree of the root, which is only shown.
    OnlyShown,
    /// The root was renamed, removed or replaced since it was opened.
    Moved,
    /// Anything else.
    Other,
}

impl FsError {
    /// The refusal to change something in a further tree. Only this error has that kind without a number of the kernel.
    pub(super) fn only_shown(op: &'static str, path: &Path) -> Self {
        let why = "it lies in a tree that is only shown (storage.extra_roots)";
        Self::new(op, path, io::Error::new(io::ErrorKind::ReadOnlyFilesystem, why))
    }

    /// The error for a root that is not at its path any more. Only this error has that kind without a number of the
    /// kernel.
    pub(super) fn moved(path: &Path) -> Self {
        let why = "it was renamed, removed or replaced; move it back, or restart with its new path";
        Self::new("use the root", path, io::Error::new(io::ErrorKind::StaleNetworkFileHandle, why))
    }

    pub(super) fn new(op: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { op, path: path.to_owned(), source: Arc::new(source.into()) }
    }

    /// Classifies the error by the possible reaction.
    #[must_use]
    pub fn kind(&self) -> FsErrorKind {
        use nix::errno::Errno;
        match self.source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) => FsErrorKind::NotFound,
            Some(Errno::EMFILE | Errno::ENFILE) => FsErrorKind::TooManyOpen,
            Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => FsErrorKind::Full,
            Some(Errno::EACCES | Errno::EPERM | Errno::EROFS) => FsErrorKind::Denied,
            Some(Errno::ENOTDIR) => FsErrorKind::NotAFolder,
            // ENXIO is the error for a socket, and for a device file without a device.
            Some(Errno::EISDIR | Errno::ENXIO) => FsErrorKind::NotAFile,
            Some(Errno::EXDEV | Errno::ELOOP) => FsErrorKind::Escapes,
            Some(_) => FsErrorKind::Other,
            None => match self.source.kind() {
                io::ErrorKind::FileTooLarge => FsErrorKind::TooLarge,
                io::ErrorKind::InvalidInput => FsErrorKind::NotAFile,
                io::ErrorKind::ReadOnlyFilesystem => FsErrorKind::OnlyShown,
                io::ErrorKind::StaleNetworkFileHandle => FsErrorKind::Moved,
                _ => FsErrorKind::Other,
            },
        }
    }
}

/// Turns "not found" into `None` and returns every other error unchanged.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == FsErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
