//! The engines: what may start, how it is run and restarted, what is done by rule. They meet in `daemon` only.

pub mod automations;
pub mod import;
pub mod planner;
pub mod runner;
