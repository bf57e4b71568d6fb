//! Counts the operations that change the disk, so that a test can end a process
//! with SIGKILL before each of them in turn.
//!
//! Counting is one relaxed addition. The kill exists in builds with debug
//! assertions only; a release binary ignores [`kill_before`].

use std::sync::atomic::{AtomicU64, Ordering};

static TAKEN: AtomicU64 = AtomicU64::new(0);
static KILL_BEFORE: AtomicU64 = AtomicU64::new(0);

/// Number of changing operations that this process has begun.
pub fn taken() -> u64 {
    TAKEN.load(Ordering::Relaxed)
}

/// Asks for SIGKILL just before the `n`th changing operation (1 is the first; 0 is never).
pub fn kill_before(n: u64) {
    KILL_BEFORE.store(n, Ordering::Relaxed);
}

/// Announces one operation that changes the disk. Every writer calls it first.
pub(super) fn step() {
    let n = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
    if cfg!(debug_assertions) && KILL_BEFORE.load(Ordering::Relaxed) == n {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
