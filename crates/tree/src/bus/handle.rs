//! Identifies a bus by its owner, and provides the handle that posts to it and reads it.

use std::{fmt, path::PathBuf};

use crate::{
    Result, Tree, TreeError,
    ids::{ProjectId, TaskId},
    paths::ProjectDir,
    refs::TaskRef,
};
use base::{
    clock::Clock,
    fsx::{FsErrorKind, ReadFile, RelPath, Root},
};

/// The owner of a bus.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BusOwner {
    /// A project owns the bus.
    Project(ProjectId),
    /// A task owns the bus.
    Task(TaskRef),
}

impl BusOwner {
    /// Creates the owner: a task, or a project if no task is given.
    #[must_use]
    pub fn new(project: ProjectId, task: Option<TaskId>) -> Self {
        match task {
            Some(task) => Self::Task(TaskRef { project, task }),
            None => Self::Project(project),
        }
    }

    /// Returns the project that the bus belongs to.
    #[must_use]
    pub fn project(&self) -> &ProjectId {
        match self {
            Self::Project(project) => project,
            Self::Task(task) => &task.project,
        }
    }

    /// Returns the task that the bus belongs to.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Project(_) => None,
            Self::Task(task) => Some(&task.task),
        }
    }

    /// Returns the path of the file below the root.
    #[must_use]
    pub fn path(&self) -> RelPath {
        match self {
            Self::Project(project) => ProjectDir::new(project).bus(),
            Self::Task(task) => task.dir().bus(),
        }
    }
}

/// Prints "project p" or "task p/t".
impl fmt::Display for BusOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => write!(f, "project {project}"),
            Self::Task(task) => write!(f, "task {task}"),
        }
    }
}

/// A message bus. It is cheap to clone, and keeps no file open between calls.
#[derive(Debug, Clone)]
pub struct Bus {
    pub(super) root: Root,
    pub(super) clock: Clock,
    pub(super) owner: BusOwner,
    pub(super) rel: RelPath,
}

impl Tree {
    /// Returns the bus of `owner`.
    #[must_use]
    pub fn bus(&self, owner: BusOwner) -> Bus {
        let rel = owner.path();
        Bus { root: self.root().clone(), clock: self.clock().clone(), owner, rel }
    }

    /// Returns the bus of a project.
    #[must_use]
    pub fn project_bus(&self, project: &ProjectId) -> Bus {
        self.bus(BusOwner::Project(project.clone()))
    }

    /// Returns the bus of a task.
    #[must_use]
    pub fn task_bus(&self, task: &TaskRef) -> Bus {
        self.bus(BusOwner::Task(task.clone()))
    }
}

impl Bus {
    /// Returns the owner of the bus.
    #[must_use]
    pub fn owner(&self) -> &BusOwner {
        &self.owner
    }

    /// Returns the path of the file below the root, for watching it.
    #[must_use]
    pub fn rel(&self) -> &RelPath {
        &self.rel
    }

    /// Returns the absolute path of the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.absolute(&self.rel)
    }

    /// Opens the file; `None` if no message has been posted yet.
    pub(super) fn open(&self) -> Result<Option<ReadFile>> {
        match self.root.open_read(&self.rel) {
            Ok(file) => Ok(Some(file)),
            // The next post sets it aside.
            Err(e) if e.is_wrong_kind() => Ok(None),
            Err(e) if e.kind() != FsErrorKind::NotFound => Err(e.into()),
            Err(_) if self.root.exists(&self.rel.parent())? => Ok(None),
            Err(_) => Err(self.missing()),
        }
    }

    /// Returns the error for a project or task that does not exist.
    pub(super) fn missing(&self) -> TreeError {
        TreeError::NotFound { what: self.owner.to_string() }
    }
}
