//! Runs tasks: accepts them, starts their agents, watches them to the end, and commits that end.
//!
//! All its knowledge comes from the tree, so any process that holds a task's lock continues where the previous one
//! stopped. `planner` decides if a task may start.

mod accept;
mod agent;
mod attempt;
mod engine;
mod error;
mod loops;
mod tidy;

pub use accept::{
    folder::{must_work_in, usable as usable_folder},
    idempotency::{accepted_before, request},
    lineage::{DEEPEST, check_parent},
    project::{check_home, create_project, existing_project_of, project_of},
    resume::{ResumeRequest, discard_abandoned, must_be_resumable, resume},
    submit::{Accepted, FIRST_MESSAGE, Home, Origin, Submission, accept},
    thread::link_back,
};
pub use agent::{
    candidates::{Candidates, candidates, problem as agent_problem},
    diversify::{Chosen, default_agent},
    launch::{DryRun, credentials_of, rehearse},
    wrap::{Session, begin_session, command_of},
};
pub use attempt::{changes::so_far, conversation::APPROVAL_REQUEST, drive::Begin};
pub use engine::{Runner, Settings};
pub use error::{Result, RunnerError};
pub use loops::{
    children::{Stopped, has_ended, live_children, request_stop},
    give_up::{give_up, give_up_lost},
    task_loop::{LoopEnd, drive_loop},
};
pub use tidy::{
    collect::{Collectable, Failed, OldItem, Policy, Scope, collect, old, size},
    delete::{Deleted, delete, delete_project, delete_run},
    repair::{Repaired, repair},
    stale_files::clear as clear_left_behind,
};
