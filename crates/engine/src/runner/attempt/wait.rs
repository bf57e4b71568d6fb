//! Waits for the next event of a live run.

use std::{path::PathBuf, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use process::pidfd::PidFd;
use view::watch::{Hints, Waiter, Watched};

/// The event that ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Woken {
    /// Something may have changed: look again.
    Look,
    /// The driver was told to detach, and to leave the run as it is.
    Detach,
}

/// Minimum time between two looks at a run if its agent writes constantly. The end of the run is noticed at once.
const PACE: Duration = Duration::from_millis(50);

/// Hints about the folders of one run and of its task.
#[derive(Debug)]
pub(in crate::runner) struct RunWaiter {
    waiter: Waiter,
    looked: Option<Instant>,
    _watched: [Watched; 2],
}

impl RunWaiter {
    pub(in crate::runner) async fn new(hints: &Hints, folders: [PathBuf; 2]) -> Self {
        // The watch is set before the waiter is created, so that no change from here on is missed.
        let watched = hints.watch_all(folders).await;
        Self { waiter: hints.waiter_of(&watched), looked: None, _watched: watched }
    }

    /// Waits for a hint, the end of a process, or the request to detach, for at most `limit`.
    pub(in crate::runner) async fn next(
        &mut self,
        process: Option<&PidFd>,
        limit: Option<Duration>,
        detach: &CancellationToken,
    ) -> Woken {
        let (waiter, looked) = (&mut self.waiter, self.looked);
        let hint = async {
            waiter.next().await;
            if let Some(looked) = looked {
                tokio::time::sleep_until(looked + PACE).await;
            }
        };
        let woken = tokio::select! {
            biased;
            () = detach.cancelled() => Woken::Detach,
            () = ended(process) => Woken::Look,
            () = hint => Woken::Look,
            () = passed(limit) => Woken::Look,
        };
        self.looked = Some(Instant::now());
        woken
    }
}

/// Returns after this time; never without a limit.
async fn passed(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Returns when the process has ended; never without one.
async fn ended(process: Option<&PidFd>) {
    match process {
        Some(process) => process.ended().await,
        None => std::future::pending().await,
    }
}
