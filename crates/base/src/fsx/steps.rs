//! Counts the operations that change the disk, so that a test can end a process with SIGKILL before each of them in
//! turn.
//!
//! Counting is one relaxed addition. The kill exists only in builds with debug assertions; a release binary ignores
//! [`arm`].

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

static TAKEN: AtomicU64 = AtomicU64::new(0);
static KILL_BEFORE: AtomicU64 = AtomicU64::new(0);
static KILL_AT: OnceLock<PathBuf> = OnceLock::new();

/// Variable with the path of a file. The file names the step at which the process is killed.
const AT: &str = "CONDUCTOR_TEST_KILL_AT";

/// Returns the number of changing operations that this process has begun.
pub fn taken() -> u64 {
    TAKEN.load(Ordering::Relaxed)
}

/// Requests SIGKILL just before the nth operation; n is in an environment variable (1 is the first).
pub fn arm(mut environment: impl Iterator<Item = (OsString, OsString)>, name: &str) {
    let value = environment.find(|(n, _)| n == name).and_then(|(_, v)| v.to_str()?.parse().ok());
    KILL_BEFORE.store(value.unwrap_or(0), Ordering::Relaxed);
}

/// Makes [`at`] check the file that an environment variable names.
pub fn arm_named(mut environment: impl Iterator<Item = (OsString, OsString)>) {
    if let Some((_, file)) = environment.find(|(n, _)| n == AT).filter(|_| cfg!(debug_assertions)) {
        let _ = KILL_AT.set(file.into());
    }
}

/// Announces a named step of an action that involves several processes. A process that reaches the step named in the
/// file removes the file and is killed, so only one process is killed.
pub fn at(name: &str) {
    let Some(file) = KILL_AT.get() else { return };
    if std::fs::read_to_string(file).is_ok_and(|text| text.trim() == name) {
        let _ = std::fs::remove_file(file);
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}

/// Announces one operation that changes the disk. Every writer calls this first.
pub(super) fn step() {
    let n = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
    if cfg!(debug_assertions) && KILL_BEFORE.load(Ordering::Relaxed) == n {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
