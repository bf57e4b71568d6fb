//! A daemon's place, handed to another program without a gap: its listeners and its lock go through exec(2), in the
//! same process, and a guard holds them meanwhile.
//!
//! A descriptor is the open file, the open socket or the lock itself, whoever holds it: as long as one does, connections
//! are queued by the kernel and nobody else becomes the daemon.

mod exec;
mod guard;
mod health;
mod start;
mod watch;
mod wire;

use std::{
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::identity::ProcessId;

pub use exec::{VARIABLE, heed_signals, own_image};
pub use guard::{VERB, main as guard};
pub use start::{activated, start_guard};
pub use wire::{Heard, Wire, Word};

/// What makes a process the daemon.
#[derive(Debug)]
pub struct Place {
    /// Where requests come in.
    pub listeners: Vec<OwnedFd>,
    /// The lock of the root.
    pub lock: OwnedFd,
}

/// A place that was handed to us.
#[derive(Debug)]
pub struct Handoff {
    /// The place.
    pub place: Place,
    /// How we came by it.
    pub arrival: Arrival,
}

/// How a program came by its place.
#[derive(Debug)]
pub enum Arrival {
    /// As the new one, which a guard watches until it has proven itself.
    OnTrial(Wire),
    /// As the old one, put back: why.
    PutBack(String),
}

/// What a guard has to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Watch {
    /// The daemon.
    pub daemon: ProcessId,
    /// The program that the daemon was started from.
    pub program: PathBuf,
    /// Its successor until it has proven itself; gone from there when it has.
    pub staged: PathBuf,
    /// Where it is to answer.
    pub address: SocketAddr,
    /// How long it may take to.
    pub limit: Duration,
}

impl Place {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        std::iter::once(self.lock.as_fd()).chain(self.listeners.iter().map(AsFd::as_fd)).collect()
    }
}
