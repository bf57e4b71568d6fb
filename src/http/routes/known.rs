//! What a path names, as the index knows it.

use std::sync::Arc;

use crate::{
    http::{
        Api,
        error::{HttpError, Result},
    },
    tree::{
        ids::ProjectId,
        refs::{RunRef, TaskRef},
    },
    view::index::{RunSummary, TaskSummary},
};

impl Api {
    /// Refuses to answer from an index that has not seen everything yet.
    pub(super) fn ready(&self) -> Result<()> {
        if self.core.index.is_ready() {
            return Ok(());
        }
        Err(HttpError::new(http::StatusCode::SERVICE_UNAVAILABLE, "the tree is still being read"))
    }

    /// Refuses a project that is not there.
    pub(super) fn project(&self, project: &ProjectId) -> Result<()> {
        self.ready()?;
        match self.core.index.project(project) {
            Some(_) => Ok(()),
            None => Err(HttpError::not_found(format!("there is no project {project}"))),
        }
    }

    /// A task that is there.
    pub(super) fn task(&self, task: &TaskRef) -> Result<Arc<TaskSummary>> {
        self.ready()?;
        let known = self.core.index.task(task);
        known.ok_or_else(|| HttpError::not_found(format!("there is no task {task}")))
    }

    /// A run that is there.
    pub(super) fn run(&self, run: &RunRef) -> Result<Arc<RunSummary>> {
        let known = self.task(&run.task)?;
        let found = known.runs.iter().find(|r| r.run == *run).cloned();
        found.ok_or_else(|| HttpError::not_found(format!("there is no run {run}")))
    }
}
