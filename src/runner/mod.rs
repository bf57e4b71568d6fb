//! Runs tasks: accepts them, starts their agents, watches them to the end, and commits that end.
//!
//! Everything it knows it reads from the tree, so any process that holds a
//! task's lock goes on where the one before stopped. Whether a task may start
//! is not its business (`planner`).

mod commit;
mod drive;
mod environment;
mod error;
mod launch;
mod orphan;
mod prompt;
mod stop;
mod submit;
mod wait;

pub use drive::{Begin, DriveEnd, drive};
pub use error::{Result, RunnerError};
pub use stop::{Stopped, request_stop};
pub use submit::{Accepted, Submission, accept};

use std::{path::PathBuf, sync::Arc};

use crate::{
    config::{Config, Environment},
    telemetry::Redactor,
    tree::Tree,
};

/// What running a task takes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The tree.
    pub tree: Tree,
    /// The settings.
    pub config: Arc<Config>,
    /// The environment that agents inherit, less what is not theirs.
    pub environment: Arc<Environment>,
    /// The `run-agent` program, which is also the shim.
    pub program: PathBuf,
    /// Takes secrets out of what we write down.
    pub redactor: Redactor,
}
