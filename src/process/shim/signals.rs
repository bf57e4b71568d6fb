//! The signals that a shim takes through its poll loop and not by a handler.

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};

/// SIGHUP is among them so that it does nothing: a shim outlives every terminal.
const TAKEN: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Holds the signals back until they are read.
pub(super) fn block() -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&TAKEN.into_iter().collect::<SigSet>()), None)
}

/// Where they are read from.
pub(super) fn open() -> Option<SignalFd> {
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    SignalFd::with_flags(&TAKEN.into_iter().collect::<SigSet>(), flags).ok()
}
