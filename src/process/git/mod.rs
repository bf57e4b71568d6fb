//! What changed in a repository's work folder, asked of the `git` program without ever writing to the repository.
//!
//! A [`snapshot`] is a tree object of everything in the work folder that git would not ignore, committed or not.
//! It is made in an index and an object folder of our own, with the repository's as its alternate. Every call has
//! a deadline, runs no hook, filter, pager or monitor, asks nobody and fetches nothing. Of an object that is in the
//! repository already git sets the time, as it does on every `git add`, so that it is not pruned; nothing else.

mod call;
mod compare;
mod repository;
mod snapshot;

pub use call::{GitError, OLDEST, Setting, version};
pub use compare::{FileChange, FileChangeKind, Store, changes, patch};
pub use repository::{Repository, is_in_work_tree};
pub use snapshot::{Snapshot, snapshot};
