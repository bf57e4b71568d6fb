//! One way down: a token that everybody watches, a count of who is still at work, a deadline.

use std::{future::Future, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The way down of a process. Cheap to clone; clones are the same way.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Shutdown {
    /// Starts a task that [`Shutdown::drain`] waits for. The only place that spawns.
    #[expect(clippy::disallowed_methods, reason = "this is the door that the lint sends everybody else to")]
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(task))
    }

    /// Does work to its end even if whoever waits for it goes away: dropping the answer cancels the wait only.
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

    /// Tells everybody to come to an end.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// What everybody watches.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Waits until all tasks have ended, at most `limit`. Returns how many have not.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.tracker.close();
        let _ = tokio::time::timeout(limit, self.tracker.wait()).await;
        self.tracker.len()
    }
}
