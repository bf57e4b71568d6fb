//! The place of a daemon: what it holds, and how another would be started in it.

use std::{
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    process::{
        command::CommandSpec,
        handoff::{Arrival, Place, Wire},
    },
    tree::daemon_info::DaemonLock,
};

/// What makes this process the daemon, and how another would be started in its place.
#[derive(Debug)]
pub struct Seat {
    /// The root's lock.
    pub lock: DaemonLock,
    /// Shares of the listeners.
    pub listeners: Mutex<Vec<OwnedFd>>,
    /// Where it answers.
    pub address: SocketAddr,
    /// The program as it is installed, and the daemon's command line.
    pub command: CommandSpec,
    /// How it came by its place, if another has left it.
    pub arrival: Option<Arrival>,
}

impl Seat {
    /// Lets go of the listeners, so that whoever comes on the way down is refused.
    pub fn close(&self) {
        self.listeners().clear();
    }

    pub(super) fn wire(&self) -> Option<&Wire> {
        match &self.arrival {
            Some(Arrival::OnTrial(wire)) => Some(wire),
            _ => None,
        }
    }

    /// A share of everything, for the one that comes after us.
    pub(super) fn share(&self) -> std::io::Result<Place> {
        let listeners = self.listeners().iter().map(OwnedFd::try_clone).collect::<std::io::Result<_>>()?;
        Ok(Place { listeners, lock: self.lock.as_fd().try_clone_to_owned()? })
    }

    /// Where the old program is kept once it was replaced.
    pub(super) fn kept(&self) -> PathBuf {
        beside(&self.command.program, |name| format!("{name}.rollback"))
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path beside another, with a name made of that one's.
pub(super) fn beside(path: &Path, name: impl Fn(&str) -> String) -> PathBuf {
    path.with_file_name(name(&path.file_name().unwrap_or_default().to_string_lossy()))
}
