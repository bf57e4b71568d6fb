//! The signals that a shim receives in its poll loop instead of a handler.

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    signalfd::{SfdFlags, SignalFd},
};

/// SIGHUP is included so that it has no effect: a shim outlives every terminal.
const TAKEN: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Blocks the signals from now on, and opens the descriptor that delivers them.
pub(super) fn take() -> nix::Result<SignalFd> {
    let taken = TAKEN.into_iter().collect::<SigSet>();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&taken), None)?;
    SignalFd::with_flags(&taken, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
