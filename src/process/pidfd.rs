//! A handle on one process that cannot come to mean another: signals go through it, never to a bare pid.

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

/// A handle on a live process. Readable (poll, `AsyncFd`) when the process has ended.
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
    id: ProcessId,
}

impl PidFd {
    /// Takes hold of a process; `None` if it has ended, or its pid means another process now.
    #[must_use]
    pub fn open(id: ProcessId) -> Option<Self> {
        let pid = Pid::from_raw(id.pid)?;
        // First the handle, then the look: what is seen afterwards is what the handle holds.
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        let stat = ProcStat::of(id.pid)?;
        (stat.id == id && !stat.is_dead()).then_some(Self { fd, id })
    }

    /// The process.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Sends a signal; a process that has ended by now is none the worse for it.
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

    /// Whether the process has ended, without waiting.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|n| n > 0)
    }

    /// Returns when the process has ended.
    pub async fn ended(&self) {
        match sys::watch_readable(self.fd.as_fd()) {
            Ok(fd) => drop(fd.readable().await),
            // No room in the reactor: the handle can still be asked.
            Err(_) => {
                while !self.has_ended() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// The wait status of a process that has ended, though it was no child of ours: known until it is
    /// reaped, and afterwards on Linux 6.15 and later, pidfd_open(2) and `PIDFD_GET_INFO`.
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
