//! Further trees that a root shows: each of them, and which part of a path decides where the path lies.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::error::{FsError, Result};

/// A further tree.
#[derive(Debug)]
pub(super) struct Shown {
    fd: OwnedFd,
    path: PathBuf,
}

impl Shown {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|e| FsError::new("open folder", path, e))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The part of a path that decides where it lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The root itself, or something that is not below a project.
    Own,
    Project(&'a Path),
    /// A project, and its first name: a task, or a file of the project.
    Task(&'a Path, PathBuf),
}

pub(super) fn part(path: &Path) -> Part<'_> {
    let mut names = path.components();
    match (names.next(), names.next()) {
        (Some(Component::Normal(first)), _) if is_own(first.as_encoded_bytes()) => Part::Own,
        (Some(Component::Normal(project)), None) => Part::Project(project.as_ref()),
        (Some(Component::Normal(project)), Some(task)) => {
            Part::Task(project.as_ref(), Path::new(project).join(task))
        }
        _ => Part::Own,
    }
}

/// Returns true for names that no project has.
pub(super) fn is_own(name: &[u8]) -> bool {
    matches!(name.first(), Some(b'_' | b'.'))
}

pub(super) fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let id = |fd| rustix::fs::fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino));
    id(one).is_some() && id(one) == id(other)
}

pub(super) fn kind(dir: BorrowedFd<'_>, path: &Path) -> Option<FileType> {
    let stat = rustix::fs::statat(dir, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}
