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

/// The state of the process that leads a process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leader {
    /// No process has reaped it yet, so its number still means its group.
    Unreaped,
    /// It may have been reaped, and its number may mean another group.
    MayBeReaped,
}

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

    /// Sends SIGKILL to the process group that this process leads, as one. Sends nothing if it leads none.
    ///
    /// No member escapes by forking: the kernel signals the group and adds a child to it under the same lock, and
    /// refuses the fork of a process that has a signal pending. The handle keeps meaning the group after its leader
    /// was reaped, see pidfd_send_signal(2). Linux before 6.9 knows a group by its number only, which is safe while the
    /// leader is unreaped; otherwise such a kernel sends nothing.
    pub fn kill_group(&self, leader: Leader) {
        let refused = sys::kill_group_of(self.fd.as_fd()).err();
        let unknown = refused.is_some_and(|e| matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)));
        if unknown && leader == Leader::Unreaped {
            self.kill_group_by_number();
        }
    }

    fn kill_group_by_number(&self) {
        if let Some(group) = Pid::from_raw(self.id.pid) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::process::CommandExt as _,
        process::{Child, Command, Stdio},
        time::Instant,
    };

    /// A leader of a process group that has started another member, and that member.
    #[expect(clippy::disallowed_methods, reason = "the test starts a plain program")]
    fn group() -> (Child, PidFd, ProcessId) {
        let script = "sleep 60 >/dev/null & echo $!; exec sleep 60 >/dev/null";
        let mut command = Command::new("/bin/sh");
        let mut leader =
            command.args(["-c", script]).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(leader.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let member = ProcStat::of(line.trim().parse().unwrap()).unwrap().id;
        let handle = PidFd::open(ProcStat::of(leader.id().cast_signed()).unwrap().id).unwrap();
        (leader, handle, member)
    }

    fn ends(process: ProcessId) -> bool {
        let began = Instant::now();
        while process.is_alive() && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(2));
        }
        !process.is_alive()
    }

    #[test]
    fn a_group_is_killed_as_one_though_its_leader_was_reaped() {
        let (mut leader, handle, member) = group();
        leader.kill().unwrap();
        leader.wait().unwrap();
        assert!(member.is_alive());
        match sys::kill_group_of(handle.as_fd()) {
            Ok(()) => {}
            // Linux before 6.9, where the number would not be safe either.
            Err(e) => {
                assert_eq!(e.raw_os_error(), Some(libc::EINVAL));
                PidFd::open(member).unwrap().send(Signal::SIGKILL);
            }
        }
        assert!(ends(member));
        // The group has no members left, and a new one does not get its handle.
        handle.kill_group(Leader::MayBeReaped);
    }

    #[test]
    fn an_older_kernel_ends_the_group_of_a_leader_that_is_not_reaped() {
        let (mut leader, handle, member) = group();
        handle.kill_group_by_number();
        assert!(ends(member));
        assert!(!leader.wait().unwrap().success());
    }

    #[test]
    fn a_process_that_leads_no_group_is_left_alone() {
        let (mut leader, handle, member) = group();
        PidFd::open(member).unwrap().kill_group(Leader::MayBeReaped);
        assert!(member.is_alive() && !handle.has_ended());
        handle.kill_group(Leader::Unreaped);
        assert!(ends(member));
        assert!(!leader.wait().unwrap().success());
    }
}
