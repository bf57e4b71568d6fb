//! The files on disk: identifiers, paths, records, the message bus, tickets and markers.
//!
//! The tree is the product and the only source of truth. This module knows the format of each file and the way in which
//! it is written. It does not know the meaning of the files together (see `view`), nor settings or processes.

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
pub mod outbox;
pub mod paths;
mod project;
pub mod refs;
pub mod run_info;
pub mod self_update;
pub mod task;
pub mod task_end;
pub mod task_lock;
pub mod thread_link;
pub mod ticket;
mod ticket_cache;
pub mod usage;
mod walk;

use std::path::{Path, PathBuf};

use ticket_cache::TicketCache;

use crate::{
    clock::Clock,
    fsx::{Durability, Root},
};

pub use crate::fsx::{EntryKind, Holder, OnItsWay, RelPath};
pub use error::{Fault, FsError, FsErrorKind, Result, TreeError};

/// An open tree: its root folder and a clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tree {
    root: Root,
    clock: Clock,
    ticket_cache: TicketCache,
}

impl Tree {
    /// Opens the tree at `path` and creates the folder if it is missing.
    ///
    /// # Errors
    /// If the root is a file or cannot be created.
    pub fn create(path: &Path, durability: Durability, clock: Clock) -> Result<Self> {
        Ok(Self { root: Root::create(path, durability)?, clock, ticket_cache: TicketCache::default() })
    }

    /// Opens the tree at `path`, which must exist.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn open(path: &Path, durability: Durability, clock: Clock) -> Result<Self> {
        Ok(Self { root: Root::open(path, durability)?, clock, ticket_cache: TicketCache::default() })
    }

    /// Returns this tree with the tasks of further trees, which are only shown, and the errors of those that are left
    /// out.
    ///
    /// # Errors
    /// If the root cannot be opened again.
    pub fn showing(self, trees: &[PathBuf]) -> Result<(Self, Vec<FsError>)> {
        if trees.is_empty() {
            return Ok((self, Vec::new()));
        }
        let (root, failed) = self.root.showing(trees)?;
        Ok((Self { root, ..self }, failed))
    }

    /// Returns the root folder of the tree.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
