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
}

/// Returns the executor of a run; `None` if the configuration has none of that name any more.
pub(in crate::runner) fn of(runner: &Runner, name: &kinds::Executor) -> Option<Placed> {
    if is_local(name) {
        let executor = Box::new(Local { program: runner.program.clone() });
        return Some(Placed { executor, poll: FOREIGN });
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
    Some(Placed { executor, poll: settings.poll })
}

/// Returns true if a driver on the run's machine starts the shim itself, and sees its process.
pub(in crate::runner) fn is_local(name: &kinds::Executor) -> bool {
    matches!(name, kinds::Executor::Local | kinds::Executor::Imported)
}

/// Time between two signs of life of a shim; `None` if its driver sees the process.
pub(in crate::runner) fn heartbeat(runner: &Runner, name: &kinds::Executor) -> Option<Duration> {
    let settings = runner.config.executors.get(name.as_str()).filter(|_| !is_local(name))?;
    Some(settings.poll.clamp(Duration::from_secs(1), Duration::from_secs(30)))
}
