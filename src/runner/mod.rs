//! Runs tasks: accepts them, starts their agents, watches them to the end, and commits that end.
//!
//! All its knowledge comes from the tree, so any process that holds a task's lock continues where the previous one
//! stopped. `planner` decides if a task may start.

mod again;
mod brakes;
mod candidates;
mod changes;
mod children;
mod collect;
mod commit;
mod delete;
mod diversify;
mod drive;
mod elsewhere;
mod environment;
mod error;
mod event_log;
mod executors;
mod farewell;
mod folder;
mod folder_settings;
mod give_up;
mod launch;
mod left_behind;
mod limited;
mod lineage;
mod new_run;
mod once;
mod orphan;
mod outbound;
mod project;
mod prompt;
mod repair;
mod restart;
mod resume;
mod start;
mod stop;
mod submit;
mod task_loop;
mod thread;
mod told;
mod usage_limit;
mod wait;
mod wrap;

pub use candidates::{Candidates, candidates, problem as agent_problem};
pub use changes::so_far;
pub use children::live_children;
pub use collect::{Failed, Found, Old, Policy, Scope, collect, old, size};
pub use delete::{Deleted, delete, delete_project, delete_run};
pub use diversify::{Chosen, default_agent};
pub use drive::Begin;
pub use error::{Result, RunnerError};
pub use folder::{must_work_in, usable as usable_folder};
pub use folder_settings::Settings;
pub use give_up::give_up;
pub use launch::{Rehearsal, credentials_of, rehearse};
pub use left_behind::clear as clear_left_behind;
pub use lineage::{DEEPEST, check_parent};
pub use once::{accepted_before, request};
pub use project::{create_project, project_of};
pub use repair::{Repaired, repair};
pub use resume::{ResumeRequest, discard_abandoned, must_be_resumable, resume};
pub use stop::{Stopped, request_stop};
pub use submit::{Accepted, Home, Origin, Submission, accept};
pub use task_loop::{LoopEnd, drive_loop};
pub use thread::link_back;
pub use wrap::{Session, begin_session, command_of};

use std::{path::PathBuf, sync::Arc};

use crate::{
    config::{Config, Environment},
    telemetry::Redactor,
    tree::Tree,
};

/// Everything that running a task needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The tree.
    pub tree: Tree,
    /// The settings of this process: for its tree, and for work in its own folder.
    pub config: Arc<Config>,
    /// The source of the settings for work in other folders.
    pub settings: Arc<Settings>,
    /// The environment from which agents inherit all but a few variables.
    pub environment: Arc<Environment>,
    /// The `run-agent` program, which is also the shim.
    pub program: PathBuf,
    /// Removes secrets from everything that is recorded.
    pub redactor: Redactor,
}

impl Runner {
    /// Returns the folders in which agents' programs are searched: our own folder first, then `$PATH`.
    #[must_use]
    pub fn search_path(&self) -> std::ffi::OsString {
        environment::search_path(self)
    }
}
