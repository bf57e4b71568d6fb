//! Stopping a task, and waiting for its end.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::super::core::Core;
use base::blocking;
use engine::runner::{self, Result, Stopped};
use tree::{ids::RunId, refs::TaskRef, ticket::TicketFolder};

/// Interval at which a wait reads the disk, in case no hint comes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Core {
    /// Asks a task and its live children to stop. Returns `None`, and changes nothing, if all of them have ended.
    ///
    /// # Errors
    /// If the task does not exist.
    pub async fn stop(self: &Arc<Self>, task: TaskRef) -> Result<Option<Stopped>> {
        let core = self.clone();
        self.shutdown
            .owned(async move {
                let tree = core.runner.tree.clone();
                let name = task.clone();
                let stopped = blocking::run(move || {
                    // A task of a further tree is refused, whatever its state.
                    let ours = !tree.root().is_only_shown(name.dir().path());
                    if ours && runner::has_ended(&tree, &name)?.is_some() {
                        return Ok(None);
                    }
                    runner::request_stop(&tree, &name).map(Some)
                });
                let Some(stopped) = stopped.await? else {
                    core.seen(&task).await?;
                    return Ok(None);
                };
                core.wake.up();
                for task in &stopped.tasks {
                    core.seen(task).await?;
                }
                Ok(Some(stopped))
            })
            .await
    }

    /// Waits until these tasks neither wait nor run, at most `limit`. Returns true if that is so: then their last runs
    /// are committed, and the ends of their loops are recorded.
    ///
    /// # Errors
    /// If a task cannot be read.
    pub async fn wait_until_at_rest(self: &Arc<Self>, tasks: &[TaskRef], limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        let mut changed = self.index.follow();
        for task in tasks {
            self.seen(task).await?;
            while self.is_pending(task) {
                let next = deadline.min(Instant::now() + LOOK_AGAIN);
                tokio::select! {
                    () = self.shutdown.token().cancelled() => return Ok(false),
                    woken = tokio::time::timeout_at(next, changed.changed()) => {
                        if woken.is_err() {
                            self.seen(task).await?;
                        }
                    }
                }
                let is_late = Instant::now() >= deadline;
                if is_late && self.is_pending(task) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// A task with a removed folder is pending as long as it has a ticket, which is closed after its processes have ended.
    fn is_pending(&self, task: &TaskRef) -> bool {
        match self.index.task(task) {
            Some(task) => task.status().is_pending(),
            None => self.index.place_of(task).is_some(),
        }
    }

    /// Returns the task with a ticket for this run. The ticket names the run also after its folder was removed.
    ///
    /// # Errors
    /// If the tickets cannot be read.
    pub async fn task_of_ticket(&self, run: RunId) -> Result<Option<TaskRef>> {
        let tree = self.runner.tree.clone();
        let tickets = blocking::run(move || tree.tickets(TicketFolder::Live)).await?;
        let mut named = tickets.into_iter().filter_map(|file| file.ticket.ok());
        Ok(named.find(|ticket| ticket.run_id == run).map(|ticket| ticket.task()))
    }
}
