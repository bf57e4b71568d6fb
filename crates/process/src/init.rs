//! The first process of a container (pid 1), to which the kernel gives every process that loses its parent.
//!
//! Each shim is such a process, and without a parent that waits for it, it stays as a zombie. A program that reaps
//! whatever has ended would take exit statuses from its own code, which waits for one child. So pid 1 forks at its start:
//! the child is the program, and pid 1 does nothing but reap, pass on signals, and end with the program's exit code.

use std::{
    ffi::{CStr, OsStr, OsString},
    process::id,
    time::Duration,
};

use nix::{
    sys::{
        signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask},
        signalfd::{SfdFlags, SignalFd, siginfo},
        wait::WaitStatus,
    },
    unistd::Pid,
};

use super::sys::{self, Reap};

/// The pid of the first process.
const FIRST: u32 = 1;
/// The name of this process in lists of processes.
const NAME: &CStr = c"run-agent-init";
/// The sender of a signal is the kernel: `SI_KERNEL` in sigaction(2).
const FROM_KERNEL: i32 = 0x80;
/// Time between two looks at the children if no signal can be received.
const UNINFORMED: Duration = Duration::from_millis(100);
/// Variables with the pid that a service manager has started, which the program does not have any more.
const PIDS: [&str; 2] = ["LISTEN_PID", "WATCHDOG_PID"];

/// The continuation of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is the program, and was not the first process.
    Program,
    /// It is the program, as the child of the first process.
    ProgramOfFirst,
    /// It was the first process, and the program has ended with this exit code.
    Ended(u8),
}

/// Leaves the program to a child if this is the first process. Must be called before the process has a second thread.
///
/// Without the fork, which only a lack of processes prevents, the program continues as before.
#[must_use]
pub fn divide() -> Role {
    if id() != FIRST {
        return Role::Program;
    }
    sys::heed_children();
    let all = SigSet::all();
    let mut before = SigSet::empty();
    // Blocked before the fork, so that no signal is lost.
    if sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut before)).is_err() {
        return Role::Program;
    }
    // It cannot fail: the set is the one from before.
    let unblock = || sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).unwrap_or_default();
    match sys::split() {
        Ok(Some(child)) => Role::Ended(reap_until_end_of(child, &all)),
        Ok(None) => {
            unblock();
            Role::ProgramOfFirst
        }
        Err(_) => {
            unblock();
            Role::Program
        }
    }
}

/// Returns the variable as the program must read it: what was meant for the first process is meant for the program.
#[must_use]
pub fn variable_of_program(name: &OsStr, value: OsString) -> OsString {
    let is_ours = PIDS.iter().any(|pid| name == *pid) && value == *FIRST.to_string();
    if is_ours { id().to_string().into() } else { value }
}

/// Reaps every process until the program has ended. Returns its exit code, as a shell would report it.
fn reap_until_end_of(program: i32, signals: &SigSet) -> u8 {
    let _ = nix::sys::prctl::set_name(NAME);
    let received = SignalFd::with_flags(signals, SfdFlags::SFD_CLOEXEC);
    loop {
        while let Reap::Ended(child) = sys::reap_any() {
            if child.pid == program {
                return exit_code(child.pid, child.status);
            }
        }
        match received.as_ref().map(SignalFd::read_signal) {
            Ok(Ok(Some(info))) => pass_on(&info, program),
            // Without it the program is still waited for, and only signals to the first process are lost.
            _ => std::thread::sleep(UNINFORMED),
        }
    }
}

/// Passes a signal on to the program, unless the terminal has sent it to both.
fn pass_on(info: &siginfo, program: i32) {
    let Some(signal) = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok()) else {
        return;
    };
    let from_terminal = info.ssi_code == FROM_KERNEL && signal != Signal::SIGHUP;
    if signal != Signal::SIGCHLD && !from_terminal {
        // It may have ended in this moment.
        let _ = kill(Pid::from_raw(program), signal);
    }
}

fn exit_code(pid: i32, status: i32) -> u8 {
    match WaitStatus::from_raw(Pid::from_raw(pid), status) {
        Ok(WaitStatus::Exited(_, code)) => u8::try_from(code & 0xff).unwrap_or(1),
        Ok(WaitStatus::Signaled(_, signal, _)) => u8::try_from(128 + signal as i32).unwrap_or(1),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_a_shell() {
        for (status, code) in [(0, 0), (3 << 8, 3), (9, 137), (15, 143)] {
            assert_eq!(exit_code(7, status), code, "{status}");
        }
    }

    #[test]
    fn what_the_first_process_was_told_is_for_the_program() {
        let own = OsString::from(id().to_string());
        for (name, value, read) in [
            ("LISTEN_PID", "1", own.clone()),
            ("WATCHDOG_PID", "1", own),
            ("LISTEN_PID", "12", "12".into()),
            ("LISTEN_FDS", "1", "1".into()),
        ] {
            assert_eq!(variable_of_program(OsStr::new(name), value.into()), read, "{name}={value}");
        }
    }
}
