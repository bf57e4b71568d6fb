//! Accepting work: a task, a resumed task, a project, and the folders and records that each gets.

pub(in crate::runner) mod folder;
pub(in crate::runner) mod idempotency;
pub(in crate::runner) mod lineage;
pub(in crate::runner) mod new_run;
pub(in crate::runner) mod project;
pub(in crate::runner) mod resume;
pub(in crate::runner) mod submit;
pub(in crate::runner) mod thread;
