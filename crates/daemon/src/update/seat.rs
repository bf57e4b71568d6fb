//! The place of a daemon: its lock and listeners, and the command that starts another daemon in its place.

use std::{
    net::SocketAddr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use base::fsx;
use process::{
    command::CommandSpec,
    handoff::{Arrival, DaemonFds, NamedListener, Wire},
};
use tree::daemon_info::DaemonLock;

/// The resources that make this process the daemon, and the command that starts another one in its place.
#[derive(Debug)]
pub struct Seat {
    /// The root's lock.
    pub lock: DaemonLock,
    /// Shared handles of the listeners.
    pub listeners: Mutex<Vec<NamedListener>>,
    /// The address of the API.
    pub address: SocketAddr,
    /// The installed program, and the daemon's command line.
    pub command: CommandSpec,
    /// The circumstances of the handover, if another daemon left this place.
    pub arrival: Option<Arrival>,
}

impl Seat {
    /// Closes the listeners, so that connections during the shutdown are refused.
    pub fn close(&self) {
        self.listeners().clear();
    }

    pub(super) fn wire(&self) -> Option<&Wire> {
        match &self.arrival {
            Some(Arrival::OnTrial(wire)) => Some(wire),
            _ => None,
        }
    }

    /// Returns shared handles of everything, for the succeeding program.
    pub(super) fn share(&self) -> std::io::Result<DaemonFds> {
        let share = |listener: &NamedListener| {
            let socket = listener.socket.try_clone()?;
            Ok(NamedListener { name: listener.name.clone(), socket })
        };
        let listeners = self.listeners().iter().map(share).collect::<std::io::Result<_>>()?;
        Ok(DaemonFds { listeners, lock: self.lock.as_fd().try_clone_to_owned()? })
    }

    /// Returns the path at which the old program is kept once it was replaced.
    pub(super) fn kept(&self) -> PathBuf {
        kept_program(&self.command.program)
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<NamedListener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the path at which an update keeps the program that it has replaced, beside the new one.
#[must_use]
pub fn kept_program(program: &Path) -> PathBuf {
    beside(program, |name| format!("{name}.rollback"))
}

/// Returns a path beside another, with a name derived from the other's name.
pub(super) fn beside(path: &Path, name: impl Fn(&str) -> String) -> PathBuf {
    path.with_file_name(name(&path.file_name().unwrap_or_default().to_string_lossy()))
}

/// Removes the copy of a candidate.
pub(super) fn remove_copy(staged: &Path) {
    if let Err(e) = fsx::remove_outside(staged) {
        tracing::warn!(error = %e, "cannot remove the copy of the new program");
    }
}
