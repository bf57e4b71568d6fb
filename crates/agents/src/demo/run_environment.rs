//! The agent's run, as `JRUN_*` in the environment describe it.

use std::path::{Path, PathBuf};

use base::fsx::RelPath;
use config::Environment;
use tree::{
    ids::{BadId, ProjectId, RunId, TaskId},
    paths::TaskDir,
};

/// An environment that is not an agent's.
#[derive(Debug, thiserror::Error)]
pub enum BadRunEnvironment {
    /// A variable is missing.
    #[error("{0} is not set: this agent is started by `run-agent job` or `run-agent task`")]
    NotSet(&'static str),
    /// A variable with an invalid value.
    #[error("{name} has an invalid value")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// The error of the value.
        source: BadId,
    },
}

/// A run, as its agent sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnvironment {
    /// The project.
    pub project: ProjectId,
    /// The task.
    pub task: TaskId,
    /// The run.
    pub run: RunId,
    /// The folder of the task, for DONE.
    pub task_folder: PathBuf,
    /// The folder of the run, for output.md.
    pub run_folder: PathBuf,
}

impl RunEnvironment {
    /// Reads the environment of an agent.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn of(environment: &Environment) -> Result<Self, BadRunEnvironment> {
        let text = |name| environment.get(name).ok_or(BadRunEnvironment::NotSet(name));
        let folder =
            |name| environment.get_os(name).map(PathBuf::from).ok_or(BadRunEnvironment::NotSet(name));
        let wrong = |name| move |source| BadRunEnvironment::Wrong { name, source };
        Ok(Self {
            project: text("JRUN_PROJECT_ID")?.parse().map_err(wrong("JRUN_PROJECT_ID"))?,
            task: text("JRUN_TASK_ID")?.parse().map_err(wrong("JRUN_TASK_ID"))?,
            run: text("JRUN_ID")?.parse().map_err(wrong("JRUN_ID"))?,
            task_folder: folder("JRUN_TASK_FOLDER")?,
            run_folder: folder("JRUN_RUN_FOLDER")?,
        })
    }

    /// The marker that says: finished.
    #[must_use]
    pub fn done(&self) -> RelPath {
        TaskDir::new(&self.project, &self.task).done()
    }

    /// Returns the names in `cwd` that are the task's own files: some if the task works in its own folder, else none.
    #[must_use]
    pub fn own_files(&self, cwd: &Path) -> &'static [&'static str] {
        let same = |own: PathBuf| cwd.canonicalize().is_ok_and(|cwd| cwd == own);
        if self.task_folder.canonicalize().is_ok_and(same) { TaskDir::NAMES } else { &[] }
    }
}
