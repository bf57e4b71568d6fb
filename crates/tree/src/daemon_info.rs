//! `_daemon/daemon.yaml`: the address of a root's daemon, for the command line.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Tree,
    error::{Result, TreeError},
    paths::top,
};
use base::{
    fsx::{FsErrorKind, Holder, Lock, LockAttempt, RelPath},
    names,
    record::{self, Record, RecordError, Spelling},
};

/// The running daemon. The record is valid only while `daemon.lock` is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonInfo {
    /// Format version; 1.
    pub version: u64,
    /// Its process id.
    pub pid: u32,
    /// Version of the program.
    pub program_version: String,
    /// Addresses that it listens on: `http://127.0.0.1:14355`.
    pub listen: Vec<String>,
    /// Time of its start.
    pub started_at: DateTime<Utc>,
}

impl Record for DaemonInfo {
    const SPELLING: Spelling = Spelling::Yaml;
}

/// The right to be the daemon of a root.
#[derive(Debug)]
pub struct DaemonLock {
    lock: Lock,
}

impl AsFd for DaemonLock {
    /// Any process that has a copy of this descriptor holds the lock, too.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

fn lock_path() -> RelPath {
    top::daemon().join(names::top::DAEMON_LOCK)
}

fn info_path() -> RelPath {
    top::daemon().join(names::top::DAEMON_INFO)
}

impl Tree {
    /// Takes the daemon's lock of this root.
    ///
    /// # Errors
    /// [`TreeError::Locked`], which names the holder.
    pub fn lock_daemon(&self, holder: &Holder) -> Result<DaemonLock> {
        self.root().ensure_dir(&top::daemon())?;
        match self.root().try_lock(&lock_path(), holder)? {
            LockAttempt::Taken(lock) => Ok(DaemonLock { lock }),
            LockAttempt::Held(by) => {
                Err(TreeError::Locked { what: format!("root {}", self.root().path().display()), by })
            }
        }
    }

    /// Becomes the daemon of this root with the lock that another process has left open for us.
    ///
    /// # Errors
    /// If the descriptor is not that lock.
    pub fn adopt_daemon_lock(&self, left: OwnedFd, holder: &Holder) -> Result<DaemonLock> {
        Ok(DaemonLock { lock: self.root().adopt_lock(&lock_path(), left, holder)? })
    }

    /// Returns true if a daemon of this root is running.
    ///
    /// # Errors
    /// If its lock cannot be examined.
    pub fn daemon_is_there(&self) -> Result<bool> {
        Ok(self.root().is_locked(&lock_path())?)
    }

    /// Returns the running daemon of this root, if there is one.
    ///
    /// # Errors
    /// If its record cannot be parsed.
    pub fn daemon(&self) -> Result<Option<DaemonInfo>> {
        if self.daemon_is_there()? { Ok(record::read(self.root(), &info_path())?) } else { Ok(None) }
    }
}

impl DaemonLock {
    /// Publishes the daemon's addresses. On a full disk the record of an earlier daemon makes room for them.
    ///
    /// # Errors
    /// If the disk fails, or is full all the same. A wrong address is not left there.
    pub fn announce(&self, tree: &Tree, info: &DaemonInfo) -> Result<()> {
        match record::write(tree.root(), &info_path(), info) {
            Err(RecordError::Fs(e)) if e.kind() == FsErrorKind::Full => {
                self.withdraw(tree)?;
                Ok(record::write(tree.root(), &info_path(), info)?)
            }
            written => Ok(written?),
        }
    }

    /// Removes the record with the addresses.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn withdraw(&self, tree: &Tree) -> Result<()> {
        tree.root().remove(&info_path())?;
        Ok(())
    }
}
