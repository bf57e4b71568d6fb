//! What can go wrong between a submission and the end of its run.

use std::path::PathBuf;

use crate::{
    agents::AgentError,
    config::ConfigError,
    record::RecordError,
    tree::{
        TreeError,
        bus::MessageType,
        ids::{MsgId, ProjectId},
        refs::TaskRef,
    },
};

/// Result of the runner.
pub type Result<T> = std::result::Result<T, RunnerError>;

/// A failure of the runner; a run that fails is none.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The task's own settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The agent's working folder.
    #[error("the working folder {} {problem}", path.display())]
    WorkFolder {
        /// The folder.
        path: PathBuf,
        /// Fits after the path.
        problem: String,
    },
    /// The working folder that an accepted task has on record.
    #[error("the working folder {} of the task {problem}", path.display())]
    TaskFolder {
        /// The folder.
        path: PathBuf,
        /// Fits after the path.
        problem: String,
        /// The file that names it.
        config: PathBuf,
    },
    /// A task that is there already, asked for in another folder than its own.
    #[error("task {task} works in {}, not in {}", folder.display(), named.display())]
    OtherFolder {
        /// The task.
        task: TaskRef,
        /// Where it works.
        folder: PathBuf,
        /// Where the caller wants it.
        named: PathBuf,
    },
    /// A project that was meant for one folder and is the project of another.
    #[error("project {project} has another home than {}", home.display())]
    OtherHome {
        /// The project.
        project: ProjectId,
        /// The folder that was meant.
        home: PathBuf,
    },
    /// A submission that cannot be meant.
    #[error("{0}")]
    Refused(String),
    /// A message that no task can be made to answer.
    #[error("message {message} is a {kind}: only a QUESTION or a FACT can be answered by a task")]
    Unanswerable {
        /// The message.
        message: MsgId,
        /// Its type.
        kind: MessageType,
    },
    /// The name of a request that has asked for something else before.
    #[error("the Idempotency-Key '{}' was used before, for something else", key.escape_debug())]
    Reused {
        /// The name.
        key: String,
    },
    /// Tasks that would wait for each other.
    #[error("dependency cycle: {0}")]
    Cycle(String),
    /// The shim's program could not be started.
    #[error("cannot start {} as a shim", program.display())]
    Shim {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl From<RecordError> for RunnerError {
    fn from(error: RecordError) -> Self {
        Self::Tree(error.into())
    }
}

impl RunnerError {
    /// What to do about the agent, for those that have no words of their own for it.
    #[must_use]
    pub fn agent_hint(&self) -> Option<String> {
        match self {
            Self::Agent(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<crate::fsx::FsError> for RunnerError {
    fn from(error: crate::fsx::FsError) -> Self {
        Self::Tree(error.into())
    }
}
