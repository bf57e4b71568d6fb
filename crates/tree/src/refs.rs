//! Full names of tasks and runs: an id alone is unique only within its folder.

use std::fmt;

use super::{
    ids::{ProjectId, RunId, TaskId},
    paths::{ProjectDir, RunDir, TaskDir},
};

/// A task of a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskRef {
    /// Its project.
    pub project: ProjectId,
    /// The task.
    pub task: TaskId,
}

/// A run of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunRef {
    /// Its task.
    pub task: TaskRef,
    /// The run.
    pub run: RunId,
}

impl TaskRef {
    /// Returns the project's folder.
    #[must_use]
    pub fn project_dir(&self) -> ProjectDir {
        ProjectDir::new(&self.project)
    }

    /// Returns the task's folder.
    #[must_use]
    pub fn dir(&self) -> TaskDir {
        TaskDir::new(&self.project, &self.task)
    }

    /// Returns another task of the same project.
    #[must_use]
    pub fn sibling(&self, task: TaskId) -> Self {
        Self { project: self.project.clone(), task }
    }

    /// Returns one of its runs.
    #[must_use]
    pub fn run(&self, run: RunId) -> RunRef {
        RunRef { task: self.clone(), run }
    }
}

impl RunRef {
    /// Returns the run's folder.
    #[must_use]
    pub fn dir(&self) -> RunDir {
        self.task.dir().run(&self.run)
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.task)
    }
}

impl fmt::Display for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task, self.run)
    }
}
