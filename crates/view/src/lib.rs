//! The meaning of the files on disk: states, outcomes, lists, and damage of a tree.
//!
//! The command line and HTTP both use it. Nothing here writes: reading a status does not change it.

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
pub mod task_files;
pub mod watch;
pub mod why;
pub mod wrong_kind;
