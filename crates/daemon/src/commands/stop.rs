//! Stopping a task, and waiting for the end of a run.

use std::{sync::Arc, time::Duration};

use super::super::core::Core;
use base::blocking;
use engine::runner::{self, Result, Stopped};
use tree::{
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
};
use view::scan;

impl Core {
    /// Asks a task and its live children to stop.
    ///
    /// # Errors
    /// If the task does not exist.
    pub async fn stop(self: &Arc<Self>, task: TaskRef) -> Result<Stopped> {
        let core = self.clone();
        self.shutdown
            .owned(async move {
                let tree = core.runner.tree.clone();
                let stopped = blocking::run(move || runner::request_stop(&tree, &task)).await?;
                core.wake.up();
                for task in &stopped.tasks {
                    core.seen(task).await?;
                }
                Ok(stopped)
            })
            .await
    }

    /// Waits until a run has ended, at most `limit`. Returns its status at that time.
    ///
    /// # Errors
    /// If its record cannot be read.
    pub async fn wait_for_end(self: &Arc<Self>, run: &RunRef, limit: Duration) -> Result<RunStatus> {
        let folder = self.runner.tree.root().absolute(run.dir().path());
        let [watched] = self.hints.watch_all([folder]).await;
        let mut waiter = watched.waiter();
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let (tree, name) = (self.runner.tree.clone(), run.clone());
            let (_, status) = blocking::run(move || scan::run(&tree, name).record).await?;
            let late = async {
                tokio::select! {
                    () = self.shutdown.token().cancelled() => true,
                    woken = tokio::time::timeout_at(deadline, waiter.next()) => woken.is_err(),
                }
            };
            if status.is_final() || late.await {
                self.seen(&run.task).await?;
                return Ok(status);
            }
        }
    }
}
