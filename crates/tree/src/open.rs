//! The open tree: a root folder, a clock, and what is cached of the files.

use std::path::{Path, PathBuf};

use super::{
    error::{FsError, Result},
    ticket_cache::TicketCache,
};
use base::{
    clock::Clock,
    fsx::{Durability, Root},
};

/// An open tree: its root folder and a clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tree {
    root: Root,
    clock: Clock,
    pub(super) ticket_cache: TicketCache,
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
