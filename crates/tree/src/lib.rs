//! The files on disk: identifiers, paths, records, the message bus, tickets and markers.
//!
//! The tree is the product and the only source of truth. This module knows the format of each file and the way in which
//! it is written. It does not know the meaning of the files together (see `view`), nor settings or processes.

pub mod archive;
pub mod audit;
pub mod bus;
pub mod changes;
pub mod daemon_info;
pub mod error;
pub mod event;
pub mod ids;
pub mod kinds;
pub mod known_programs;
pub mod login;
mod open;
pub mod outbox;
pub mod paths;
mod project;
pub mod refs;
pub mod run_info;
pub mod self_update;
pub mod session;
pub mod task;
pub mod task_end;
pub mod task_lock;
pub mod thread_link;
pub mod ticket;
mod ticket_cache;
pub mod ticket_folders;
pub mod transcript;
pub mod usage;
mod walk;

pub use base::fsx::{EntryKind, Holder, RelPath, UnfinishedFile};
pub use error::{Fault, FsError, FsErrorKind, Result, TreeError};
pub use open::Tree;
