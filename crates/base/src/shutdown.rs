//! The shutdown of a process: a token that every task watches, a count of the running tasks, a deadline.

use std::{future::Future, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The shutdown of a process. Cheap to clone; clones refer to the same shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Shutdown {
    /// Starts a task that [`Shutdown::drain`] waits for. The only place that spawns.
    #[expect(clippy::disallowed_methods, reason = "the lint recommends this module")]
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(task))
    }

    /// Runs work to its end even if the waiting caller goes away: dropping the returned future cancels only the wait.
    pub async fn owned<F>(&self, work: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.spawn(work).await {
            Ok(output) => output,
            Err(e) => std::panic::resume_unwind(e.into_panic()),
        }
    }

    /// Signals every task to end.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Returns the token that every task watches.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Waits until all tasks have ended, at most `limit`. Returns the number of tasks that have not.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.tracker.close();
        let _ = tokio::time::timeout(limit, self.tracker.wait()).await;
        self.tracker.len()
    }
}
