//! `run-agent shell-setup`: shell functions with the agents' names, so that who types `claude` is on the record.

mod block;
mod shell;
mod verb;

pub use verb::Args;
pub(super) use verb::run;
