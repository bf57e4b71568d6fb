//! The signals that a shim takes through its poll loop and not by a handler.

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};

/// SIGHUP is among them so that it does nothing: a shim outlives every terminal.
const TAKEN: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Holds the signals back from now on, and opens where they are read.
pub(super) fn take() -> nix::Result<SignalFd> {
    let taken = TAKEN.into_iter().collect::<SigSet>();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&taken), None)?;
    SignalFd::with_flags(&taken, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
