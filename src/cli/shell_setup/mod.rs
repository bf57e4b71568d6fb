//! `run-agent shell-setup`: shell functions named after the agents, so that runs of a typed `claude` are recorded.

mod block;
mod shell;
mod verb;

pub use verb::Args;
pub(super) use verb::run;
