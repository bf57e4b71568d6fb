//! Looks up the things that a path names, in the index; and marks the answer of a request that is known already.

use std::sync::Arc;

use warp::reply::Response;

use crate::{
    Api,
    error::{HttpError, Result},
};
use tree::{
    ids::ProjectId,
    refs::{RunRef, TaskRef},
};
use view::index::{RunSummary, TaskSummary};

impl Api {
    /// Fails while the index has not seen the whole tree.
    pub(super) fn ready(&self) -> Result<()> {
        if self.core.index.is_ready() {
            return Ok(());
        }
        Err(HttpError::new(http::StatusCode::SERVICE_UNAVAILABLE, "the tree is still being read"))
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
