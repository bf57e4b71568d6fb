//! Hands a daemon's place to another program without a gap. Its listeners and its lock pass through exec(2) in the same
//! process, and a guard holds them, too, during that time.
//!
//! Every copy of a descriptor refers to the same open file, socket or lock. As long as one process holds a copy, the
//! kernel queues connections and no other process can become the daemon.

mod exec;
mod guard;
mod health;
mod message;
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

pub use exec::{heed_signals, name_process, own_image};
pub use guard::{VERB, main as guard};
pub use message::{NEWEST, OLDEST, VARIABLE};
pub use start::{activated, start_guard};
pub use wire::{Received, Wire, Word};

/// The name of the listener that every daemon has.
pub const MAIN: &str = "main";

/// A socket that accepts requests.
#[derive(Debug)]
pub struct NamedListener {
    /// Its name, by which the next program finds it.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

/// The descriptors that make a process the daemon.
#[derive(Debug)]
pub struct DaemonFds {
    /// Sockets that accept requests.
    pub listeners: Vec<NamedListener>,
    /// The lock of the root.
    pub lock: OwnedFd,
}

/// A place that another process has handed to us.
#[derive(Debug)]
pub struct Handoff {
    /// The place.
    pub fds: DaemonFds,
    /// The way in which the place was handed over.
    pub arrival: Arrival,
}

/// The way in which a program received its place.
#[derive(Debug)]
pub enum Arrival {
    /// As the new program. A guard watches it until it has proven itself.
    OnTrial(Wire),
    /// As the old program, restored; with the reason.
    PutBack(String),
}

/// The facts that a guard needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Watch {
    /// The names of the listeners that come with this, in their order.
    pub listeners: Vec<String>,
    /// The daemon's process.
    pub daemon: ProcessId,
    /// The program that the daemon was started from.
    pub program: PathBuf,
    /// The successor's program until it has proven itself; afterwards the file is gone from this path.
    pub staged: PathBuf,
    /// Address at which the successor has to answer.
    pub address: SocketAddr,
    /// Longest time until it answers.
    pub limit: Duration,
}

impl DaemonFds {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let listeners = self.listeners.iter().map(|listener| listener.socket.as_fd());
        std::iter::once(self.lock.as_fd()).chain(listeners).collect()
    }
}
