//! Looks up the things that a path names, in the index; and marks the answer of a request that is known already.

use std::{sync::Arc, time::Duration};

use warp::reply::Response;

use crate::{
    Api,
    error::{HttpError, Result},
    wire::Words,
};
use engine::runner::Stopped;
use tree::{
    ids::ProjectId,
    refs::{RunRef, TaskRef},
};
use view::index::{RunSummary, TaskSummary};

/// Maximum time to wait for a stop; after that the answer says that the stop continues.
const STOP: Duration = Duration::from_secs(20);

impl Api {
    /// Fails while the index has not seen the whole tree.
    pub(super) fn ready(&self) -> Result<()> {
        if self.core.index.is_ready() {
            return Ok(());
        }
        let text = "the daemon is starting and still reads the tree; try again in a moment";
        Err(web::Error::busy(text).into())
    }

    /// Fails if the project does not exist.
    pub(super) fn project(&self, project: &ProjectId) -> Result<()> {
        self.ready()?;
        match self.core.index.project(project) {
            Some(_) => Ok(()),
            None => Err(HttpError::not_found(format!("there is no project {project}"))),
        }
    }

    /// Returns an existing task.
    pub(super) fn task(&self, task: &TaskRef) -> Result<Arc<TaskSummary>> {
        self.ready()?;
        let known = self.core.index.task(task);
        known.ok_or_else(|| HttpError::not_found(format!("there is no task {task}")))
    }

    /// Why a task stands where it stands.
    pub(super) fn reason(&self, task: &Arc<TaskSummary>) -> String {
        let now = self.core.runner.tree.clock().now();
        self.core.index.reasons(std::slice::from_ref(task), now).pop().unwrap_or_default()
    }

    /// Waits for the end of tasks that were asked to stop. Returns false if they have not ended in time, or if the client
    /// expects the answer of the original, which never waits.
    pub(super) async fn ends(&self, stopped: &Stopped) -> Result<bool> {
        if self.words() == Words::Original {
            return Ok(false);
        }
        Ok(self.core.wait_until_at_rest(&stopped.tasks, STOP).await?)
    }

    /// Returns an existing run.
    pub(super) fn run(&self, run: &RunRef) -> Result<Arc<RunSummary>> {
        let known = self.task(&run.task)?;
        let found = known.runs.iter().find(|r| r.run == *run).cloned();
        found.ok_or_else(|| HttpError::not_found(format!("there is no run {run}")))
    }
}

/// Marks an answer as the answer of an earlier, identical request.
pub(super) fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotency-replayed", http::HeaderValue::from_static("true"));
    response
}
