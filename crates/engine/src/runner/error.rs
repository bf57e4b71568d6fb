//! The errors between a submission and the end of its run.

use std::path::PathBuf;

use agents::AgentError;
use base::record::RecordError;
use config::ConfigError;
use tree::{
    TreeError,
    bus::MessageType,
    ids::{MsgId, ProjectId, RunId},
    refs::TaskRef,
};

/// The result type of the runner.
pub type Result<T> = std::result::Result<T, RunnerError>;

/// A failure of the runner; a failing run is not one.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// An error of the tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An error of the agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// An error in the task's own settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An unusable working folder.
    #[error("the working folder {} {problem}", path.display())]
    WorkFolder {
        /// The folder.
        path: PathBuf,
        /// The problem, worded to follow the path.
        problem: String,
    },
    /// The recorded working folder of an accepted task, which is not usable any more.
    #[error("the working folder {} of the task {problem}", path.display())]
    TaskFolder {
        /// The folder.
        path: PathBuf,
        /// The problem, worded to follow the path.
        problem: String,
        /// The file that names it.
        config: PathBuf,
    },
    /// An existing task was requested with another folder than its own.
    #[error("task {task} works in {}, not in {}", folder.display(), named.display())]
    OtherFolder {
        /// The task.
        task: TaskRef,
        /// The task's folder.
        folder: PathBuf,
        /// The folder that the caller named.
        named: PathBuf,
    },
    /// A project was requested for one folder, but belongs to another.
    #[error("project {project} works in another folder than {}", home.display())]
    OtherHome {
        /// The project.
        project: ProjectId,
        /// The requested folder.
        home: PathBuf,
    },
    /// A new task with a prompt that would replace the one that a user has written.
    #[error("{} exists, and has another prompt", path.display())]
    PromptByHand {
        /// The user's file.
        path: PathBuf,
    },
    /// A submission that cannot be executed.
    #[error("{0}")]
    Refused(String),
    /// A message of a type that no task may answer.
    #[error("message {message} is a {kind}: only a QUESTION or a FACT can be answered by a task")]
    Unanswerable {
        /// The message.
        message: MsgId,
        /// Its type.
        kind: MessageType,
    },
    /// The key of a request was used before, for another request.
    #[error("the Idempotency-Key '{}' was used before for a different request", key.escape_debug())]
    Reused {
        /// The key.
        key: String,
    },
    /// A run that cannot be the parent of a task.
    #[error("run {run} cannot be the parent of a task: {problem}")]
    NoParent {
        /// The run.
        run: RunId,
        /// Fits after the colon.
        problem: &'static str,
    },
    /// A run of a task that is at the deepest level already.
    #[error(
        "run {run} cannot start a child task: its task is {deepest} levels below a root task, and none may be deeper"
    )]
    TooDeep {
        /// The run.
        run: RunId,
        /// The deepest level that is allowed.
        deepest: usize,
    },
    /// Tasks that would wait for each other.
    #[error("dependency cycle: {0}")]
    Cycle(String),
    /// The shim's program could not be started.
    #[error("cannot start {} as a shim", program.display())]
    Shim {
        /// The program.
        program: PathBuf,
        /// The error of the kernel.
        source: std::io::Error,
    },
}

impl From<RecordError> for RunnerError {
    fn from(error: RecordError) -> Self {
        Self::Tree(error.into())
    }
}

impl RunnerError {
    /// Returns true if the configuration has no agent of the requested name.
    #[must_use]
    pub fn is_unknown_agent(&self) -> bool {
        matches!(self, Self::Agent(AgentError::Unknown { .. }))
    }

    /// The hint about the agent, for callers that have none of their own.
    #[must_use]
    pub fn agent_hint(&self) -> Option<String> {
        match self {
            Self::Agent(error) => error.hint(),
            _ => None,
        }
    }
}

impl From<base::fsx::FsError> for RunnerError {
    fn from(error: base::fsx::FsError) -> Self {
        Self::Tree(error.into())
    }
}
