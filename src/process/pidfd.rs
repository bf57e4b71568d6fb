//! A handle on one process. It never refers to another process, so signals go through it and never to a bare pid.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags};

use super::{
    identity::{ProcStat, ProcessId},
    sys,
};

/// A handle on a live process. It becomes readable (poll, `AsyncFd`) when the process has ended.
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
    id: ProcessId,
}

impl PidFd {
    /// Opens a handle; `None` if the process has ended, or its pid now belongs to another process.
    #[must_use]
    pub fn open(id: ProcessId) -> Option<Self> {
        let pid = Pid::from_raw(id.pid)?;
        // The handle is opened before the process is checked, so that the check applies to the process in the handle.
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        let stat = ProcStat::of(id.pid)?;
        (stat.id == id && !stat.is_dead()).then_some(Self { fd, id })
    }

    /// Returns the process.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Sends a signal. A process that has already ended ignores it.
    pub fn send(&self, signal: Signal) {
        let signal = match signal {
            Signal::SIGKILL => rustix::process::Signal::KILL,
            Signal::SIGHUP => rustix::process::Signal::HUP,
            Signal::SIGINT => rustix::process::Signal::INT,
            Signal::SIGQUIT => rustix::process::Signal::QUIT,
            Signal::SIGCONT => rustix::process::Signal::CONT,
            _ => rustix::process::Signal::TERM,
        };
        let _ = rustix::process::pidfd_send_signal(&self.fd, signal);
    }

    /// Returns true if the process has ended. Does not block.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|n| n > 0)
    }

    /// Waits until the process has ended.
    pub async fn ended(&self) {
        match sys::watch_readable(self.fd.as_fd()) {
            Ok(fd) => drop(fd.readable().await),
            // The reactor has no room for the handle, so poll it instead.
            Err(_) => {
                while !self.has_ended() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// Returns the wait status of a process that has ended, even if it was not our child. The status is known until the
    /// process is reaped, and afterwards on Linux 6.15 and later: pidfd_open(2) and `PIDFD_GET_INFO`.
    #[must_use]
    pub fn exit_status(&self) -> Option<i32> {
        ProcStat::wait_status_of(self.id).or_else(|| sys::pidfd_exit_status(self.fd.as_fd()))
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
