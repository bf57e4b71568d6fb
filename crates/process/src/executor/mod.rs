//! Executors: the places where the shims of runs are started. [`local`](Local) starts them on this machine;
//! [`command`](ByCommand) has the commands of a configuration start them, on a cluster or in a container for example.
//!
//! An executor tells where a job is, and never whether a run succeeded: that is in `exit.json` alone.

mod command;
mod local;

use std::{collections::BTreeMap, ffi::OsString, fmt::Debug, io};

use super::spec::{LaunchSpec, ShimReport};
use base::fsx::{RelPath, Root};

pub use command::ByCommand;
pub use local::{CLAIM_DEADLINE, Local};

/// Starts the shims of runs somewhere. The job of a run is known by the run's folder.
pub trait Executor: Debug + Send + Sync {
    /// Starts the shim of a run, or hands the run over so that its shim is started later. `before` does everything that
    /// must be done before the agent's first instruction.
    ///
    /// A run that is submitted twice runs once: the second shim finds the claim of the first.
    ///
    /// # Errors
    /// If nothing can be started or handed over at all.
    fn submit(&self, launch: &Launch<'_>, before: &mut dyn FnMut()) -> io::Result<Submitted>;

    /// Returns the state of a run's job.
    ///
    /// # Errors
    /// If the executor does not answer; the job may be in any state then.
    fn find(&self, root: &Root, run_dir: &RelPath) -> io::Result<JobState>;

    /// Takes a run's job back: one that is queued is not started any more, and one that runs is ended.
    ///
    /// # Errors
    /// If the executor does not answer.
    fn cancel(&self, root: &Root, run_dir: &RelPath) -> io::Result<()>;
}

/// Everything that starting a shim takes.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The tree that the run belongs to.
    pub root: &'a Root,
    /// The launch spec.
    pub spec: &'a LaunchSpec,
    /// The environment of the agent.
    pub env: &'a BTreeMap<OsString, OsString>,
}

/// What came of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The shim has reported.
    Reported(ShimReport),
    /// The executor starts the shim when it can.
    HandedOver,
}

/// The state of a job. There is no state for success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Its shim has not been started yet.
    Queued,
    /// Its shim or the agent is there.
    Running,
    /// It is not there any more, or never was.
    Gone,
}
