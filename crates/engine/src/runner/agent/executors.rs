//! The executors that runs can have: the one of this machine, and those of the configuration.

use std::time::Duration;

use crate::runner::{Runner, agent::environment};
use process::executor::{ByCommand, Executor, Local};
use tree::kinds;

/// Time between two looks at a run of this machine's executor that another machine has started.
const FOREIGN: Duration = Duration::from_secs(30);

/// An executor, and how it is asked.
#[derive(Debug)]
pub(in crate::runner) struct Placed {
    pub(in crate::runner) executor: Box<dyn Executor>,
    /// Time between two questions.
    pub(in crate::runner) poll: Duration,
    /// Maximum time from the submission of a job to the claim of its run.
    pub(in crate::runner) start_timeout: Option<Duration>,
}

/// Returns the executor of a run; `None` if the configuration has none of that name any more.
pub(in crate::runner) fn of(runner: &Runner, name: &kinds::Executor) -> Option<Placed> {
    if name.is_local() {
        let executor = Box::new(Local { program: runner.program.clone() });
        return Some(Placed { executor, poll: FOREIGN, start_timeout: None });
    }
    let settings = runner.config.executors.get(name.as_str())?;
    let executor = Box::new(ByCommand {
        name: name.as_str().to_owned(),
        program: runner.program.clone(),
        submit: settings.submit.clone(),
        find: settings.find.clone(),
        cancel: settings.cancel.clone(),
        env: environment::of_executor(runner),
    });
    Some(Placed { executor, poll: settings.poll, start_timeout: settings.start_timeout })
}

/// Time between two signs of life of a shim; `None` if its driver sees the process.
pub(in crate::runner) fn heartbeat(runner: &Runner, name: &kinds::Executor) -> Option<Duration> {
    let settings = runner.config.executors.get(name.as_str()).filter(|_| !name.is_local())?;
    Some(settings.poll.clamp(Duration::from_secs(1), Duration::from_secs(30)))
}
