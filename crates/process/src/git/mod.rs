//! Finds changes in a repository's work folder by calling the `git` program, without ever writing to the repository.
//!
//! A [`snapshot`] is a tree object of every file in the work folder that git does not ignore, committed or not. It is
//! made in an index and an object folder of Conductor, with the repository's object folder as its alternate. Every call
//! has a deadline, runs no hook, filter, pager or monitor, prompts for nothing and fetches nothing. There is one
//! exception: if an object already exists in the repository, git updates the object's time, as every `git add` does, so
//! that it is not pruned.

mod call;
mod compare;
mod elsewhere;
mod left_out;
mod repository;
mod snapshot;

pub use call::{GitError, OLDEST, Setting, version};
pub use compare::{FileChange, FileChangeKind, Store, changes, patch};
pub use elsewhere::{Elsewhere, ElsewhereKind, changed_elsewhere, changed_refs};
pub use left_out::LeftOut;
pub use repository::{MAX_REFS, Repository, is_in_work_tree};
pub use snapshot::{Snapshot, snapshot};
