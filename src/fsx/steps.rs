//! Counts the operations that change the disk, so that a test can end a process
//! with SIGKILL before each of them in turn.
//!
//! Counting is one relaxed addition. The kill exists in builds with debug
//! assertions only; a release binary ignores [`arm`].

use std::{
    ffi::OsString,
    sync::atomic::{AtomicU64, Ordering},
};

static TAKEN: AtomicU64 = AtomicU64::new(0);
static KILL_BEFORE: AtomicU64 = AtomicU64::new(0);

/// Number of changing operations that this process has begun.
pub fn taken() -> u64 {
    TAKEN.load(Ordering::Relaxed)
}

/// Asks for SIGKILL just before the operation whose number stands in an environment variable (1 is the first).
pub fn arm(mut environment: impl Iterator<Item = (OsString, OsString)>, name: &str) {
    let value = environment.find(|(n, _)| n == name).and_then(|(_, v)| v.to_str()?.parse().ok());
    KILL_BEFORE.store(value.unwrap_or(0), Ordering::Relaxed);
}

/// Announces one operation that changes the disk. Every writer calls it first.
pub(super) fn step() {
    let n = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
    if cfg!(debug_assertions) && KILL_BEFORE.load(Ordering::Relaxed) == n {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
