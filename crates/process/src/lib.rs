//! Processes: how they are identified, started, supervised and ended.
//!
//! The [`shim`] runs one agent and records how it ended. [`executor`] starts a shim. [`liveness`] and [`tree`] examine
//! processes from outside. This module knows run folders (`claim.json`, `exit.json`), but no projects or tasks.

pub mod bounded;
pub mod cgroup;
pub mod claim;
pub mod command;
pub mod executor;
pub mod exit;
pub mod foreground;
pub mod git;
pub mod handoff;
pub mod identity;
pub mod init;
pub mod kernel_support;
pub mod launch_files;
pub mod listening;
pub mod liveness;
pub mod memory;
pub mod notify;
pub mod open_files;
pub mod pidfd;
pub mod shim;
pub mod spec;
mod sys;
pub mod tree;
