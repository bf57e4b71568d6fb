//! Remembers what the files of tickets say, so that a long queue is not parsed again at every look.
//!
//! A file is known by its inode, length and time. Two versions within one tick of the file
//! system's clock could look alike, so what was written a moment ago is not remembered yet.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    ids::TicketId,
    ticket::{Place, Ticket},
};
use crate::fsx::Stat;

/// Older than this a file's time tells its versions apart (a tick is 10 ms at most).
const SETTLED_NS: i128 = 50_000_000;

/// What the tickets said when they were read last. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct TicketCache(Arc<Mutex<Known>>);

type Known = HashMap<(Place, TicketId), (Version, Ticket)>;

/// Which version of a file was read.
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
    /// What this version of a ticket's file says, if it was read before.
    pub(super) fn get(&self, place: Place, id: &TicketId, version: Version) -> Option<Ticket> {
        let known = self.known();
        let (read, ticket) = known.get(&(place, id.clone()))?;
        (*read == version).then(|| ticket.clone())
    }

    /// Remembers what a file said; `version` was looked up before it was read.
    pub(super) fn put(
        &self,
        place: Place,
        id: &TicketId,
        version: Version,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) {
        let now = i128::from(now.timestamp_nanos_opt().unwrap_or(0));
        if now - version.modified_ns > SETTLED_NS {
            self.known().insert((place, id.clone()), (version, ticket.clone()));
        }
    }

    /// Forgets the tickets of a place that are no longer there.
    pub(super) fn keep_only(&self, place: Place, there: &HashSet<&TicketId>) {
        self.known().retain(|(of, id), _| *of != place || there.contains(id));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
