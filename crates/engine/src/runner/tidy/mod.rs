//! Removing and mending: old runs, deleted tasks, and what `fsck` finds.

pub(in crate::runner) mod collect;
pub(in crate::runner) mod delete;
pub(in crate::runner) mod repair;
pub(in crate::runner) mod stale_files;
