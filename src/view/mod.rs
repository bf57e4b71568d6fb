//! What the facts on disk mean: states, outcomes, lists, and what is wrong with a tree.
//!
//! For the command line and HTTP alike. Nothing here writes: a status that is
//! looked at is not changed by looking.

pub mod activity;
pub mod answer;
pub mod bus_stats;
pub mod dependency;
pub mod disk_use;
pub mod doctor;
pub mod files;
pub mod fsck;
pub mod index;
pub mod merged;
pub mod outcome;
pub mod run;
pub mod run_log;
pub mod scan;
pub mod task;
pub mod why;
