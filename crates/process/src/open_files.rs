//! The limit of open files: a daemon uses all that it may have, and the programs that it starts get the limit that it
//! was started with.
//!
//! The usual soft limit, 1024, is that low for programs that use select(2). An agent may be one of them, so the higher
//! limit is not passed on.

use std::{io, os::fd::AsRawFd, sync::OnceLock};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// Number of operations beyond which the limit of open files does not matter.
const MOST: usize = 4096;

/// The soft limit of this process before it was raised.
static BEFORE: OnceLock<u64> = OnceLock::new();

/// Raises the soft limit of this process to the hard one. Returns the limit that holds then; `None` stands for no limit.
pub fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(soft) = current.filter(|soft| maximum.is_none_or(|hard| *soft < hard)) else { return current };
    // Without the permission the old limit holds on.
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        let _ = BEFORE.set(soft);
    }
    getrlimit(Resource::Nofile).current
}

/// Returns the soft limit that this process was started with, if it has raised it.
#[must_use]
pub fn before_raise() -> Option<u64> {
    BEFORE.get().copied()
}

/// Sets the soft limit that this process was started with, for another program in this process. Files that are open stay
/// open.
pub(super) fn restore() {
    set(None);
}

/// Gives a program that this process has just started the limit that this process was started with.
pub(super) fn restore_for(pid: u32) {
    set(i32::try_from(pid).ok().and_then(Pid::from_raw));
}

fn set(pid: Option<Pid>) {
    if let Some(soft) = before_raise() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        // It fails only for a program that has ended already.
        let _ = prlimit(pid, Resource::Nofile, Rlimit { current: Some(soft), maximum });
    }
}

/// Returns how many operations that take `each` descriptors may run at the same time: a quarter of all descriptors is for
/// them.
#[must_use]
pub fn at_once(each: u64) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit / 4 / each.max(1)).map_or(MOST, |count| count.clamp(1, MOST))
}

/// Returns the kernel's error for too many open files.
#[must_use]
pub fn exhausted() -> io::Error {
    rustix::io::Errno::MFILE.into()
}

/// Returns true if this process may open `count` more files, as far as the limit is concerned, and another third of those
/// that it has open: the drivers of live runs read their files at any time.
#[must_use]
pub fn has_room(count: u64) -> bool {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return true };
    open_now().is_some_and(|open| open + open / 3 + count <= limit)
}

/// Returns the number of open files of this process; `None` if there are too many to find out.
fn open_now() -> Option<u64> {
    // Linux 6.2 and later state the number as the size of this folder.
    let size = rustix::fs::stat("/proc/self/fd").ok().and_then(|stat| u64::try_from(stat.st_size).ok());
    match size {
        Some(0) | None => {
            // The kernel gives out the lowest free number, so at least that many files are open.
            let free = rustix::io::fcntl_dupfd_cloexec(io::stderr(), 0).ok()?;
            u64::try_from(free.as_raw_fd()).ok()
        }
        size => size,
    }
}
