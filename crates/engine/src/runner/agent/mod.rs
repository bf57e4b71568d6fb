//! The agent of a run: the choice of it, its environment, its command, and its start.

pub(in crate::runner) mod candidates;
pub(in crate::runner) mod diversify;
pub(in crate::runner) mod environment;
pub(in crate::runner) mod executors;
mod inherited;
pub(in crate::runner) mod launch;
pub(in crate::runner) mod start;
pub(in crate::runner) mod wrap;
