//! Waiting for the next thing that happens to a live run.

use std::{os::fd::AsRawFd, time::Duration};

use tokio::io::{Interest, unix::AsyncFd};
use tokio_util::sync::CancellationToken;

use crate::{
    process::pidfd::PidFd,
    watch::{Hints, Waiter, Watched},
};

/// A pidfd as the reactor wants it.
struct Handle<'a>(&'a PidFd);

impl AsRawFd for Handle<'_> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsFd;
        self.0.as_fd().as_raw_fd()
    }
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something may have changed: look.
    Look,
    /// Whoever waits is to go, and leave the run as it is.
    Detach,
}

/// Hints about one run's folder and its task's.
#[derive(Debug)]
pub(super) struct RunWaiter {
    waiter: Waiter,
    _watched: [Watched; 2],
}

impl RunWaiter {
    pub(super) fn new(hints: &Hints, run_dir: &std::path::Path, task_dir: &std::path::Path) -> Self {
        // First the watch, then the waiter: what changes from here on is not missed.
        let watched = [hints.watch(run_dir), hints.watch(task_dir)];
        Self { waiter: hints.waiter(), _watched: watched }
    }

    /// Waits for a hint, the end of a process, or leave to go.
    pub(super) async fn next(&mut self, process: Option<&PidFd>, detach: &CancellationToken) -> Woken {
        tokio::select! {
            biased;
            () = detach.cancelled() => Woken::Detach,
            () = ended(process) => Woken::Look,
            () = self.waiter.next() => Woken::Look,
        }
    }
}

/// Returns when the process has ended; never, without one.
async fn ended(process: Option<&PidFd>) {
    let Some(process) = process else { return std::future::pending().await };
    match AsyncFd::with_interest(Handle(process), Interest::READABLE) {
        Ok(fd) => drop(fd.readable().await),
        // No room in the reactor: the handle can still be asked.
        Err(_) => {
            while !process.has_ended() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
