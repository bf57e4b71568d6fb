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

    /// A project that is there.
    pub(super) fn project(&self, id: &str) -> Result<ProjectId> {
        let project: ProjectId = id.parse()?;
        self.ready()?;
        match self.core.index.project(&project) {
            Some(_) => Ok(project),
            None => Err(HttpError::not_found(format!("there is no project {project}"))),
        }
    }

    /// A task that is there.
    pub(super) fn task(&self, project: &str, task: &str) -> Result<Arc<TaskSummary>> {
        let task = TaskRef { project: project.parse()?, task: task.parse()? };
        self.ready()?;
        let known = self.core.index.task(&task);
        known.ok_or_else(|| HttpError::not_found(format!("there is no task {task}")))
    }

    /// A run that is there.
    pub(super) fn run(&self, project: &str, task: &str, run: &str) -> Result<Arc<RunSummary>> {
        let known = self.task(project, task)?;
        let run: RunRef = known.task.run(run.parse()?);
        let found = known.runs.iter().find(|r| r.run == run).cloned();
        found.ok_or_else(|| HttpError::not_found(format!("there is no run {run}")))
    }
}
