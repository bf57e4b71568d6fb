//! Caches the content of ticket files, so that a long queue is not parsed again for every listing.
//!
//! A file's version is identified by its inode, length and time. Two versions within one tick of the file system's
//! clock could look alike, so a file that was written a moment ago is not cached yet.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    ids::TicketId,
    ticket::{Ticket, TicketFolder},
};
use base::fsx::Stat;

/// Two versions of a file have different times if the older one is at least this old (a tick is 10 ms at most).
const SETTLED_NS: i128 = 50_000_000;

/// The tickets as they were last read. Cheap to clone; clones share the cache.
#[derive(Debug, Clone, Default)]
pub(super) struct TicketCache(Arc<Mutex<CachedTickets>>);

type CachedTickets = HashMap<(TicketFolder, TicketId), (Version, Ticket)>;

/// The version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    inode: u64,
    len: u64,
    modified_ns: i128,
}

impl From<Stat> for Version {
    fn from(stat: Stat) -> Self {
        Self { inode: stat.inode, len: stat.len, modified_ns: stat.modified_ns }
    }
}

impl TicketCache {
    /// Returns the ticket in this version of the file, if the cache has it.
    pub(super) fn get(&self, folder: TicketFolder, id: &TicketId, version: Version) -> Option<Ticket> {
        let known = self.known();
        let (read, ticket) = known.get(&(folder, id.clone()))?;
        (*read == version).then(|| ticket.clone())
    }

    /// Caches the content of a file. `version` was determined before the file was read.
    pub(super) fn put(
        &self,
        folder: TicketFolder,
        id: &TicketId,
        version: Version,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) {
        let now = i128::from(now.timestamp_nanos_opt().unwrap_or(0));
        if now - version.modified_ns > SETTLED_NS {
            self.known().insert((folder, id.clone()), (version, ticket.clone()));
        }
    }

    /// Removes the tickets of a folder that no longer exist.
    pub(super) fn keep_only(&self, folder: TicketFolder, there: &HashSet<&TicketId>) {
        self.known().retain(|(of, id), _| *of != folder || there.contains(id));
    }

    fn known(&self) -> MutexGuard<'_, CachedTickets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
