//! Creates and deletes: projects, and inactive tasks and runs. An answer means that the command was executed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::core::Core;
use base::blocking;
use engine::runner::{self, Deleted, OldItem, Policy, Result, RunnerError};
use tree::{
    TreeError,
    ids::ProjectId,
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
};

/// Maximum time that a deletion waits for a driver that only has to release its lock.
const LETTING_GO: Duration = Duration::from_secs(1);
/// Interval for checking that.
const LOOK: Duration = Duration::from_millis(10);
/// Maximum time that a forced deletion waits for the tasks that it has stopped.
const STOPPING: Duration = Duration::from_secs(20);

/// States if tasks with a ticket or a driver are stopped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// They are stopped.
    Stop,
    /// They prevent the deletion.
    Refuse,
}

/// States if old things are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleaning {
    /// They are removed.
    Real,
    /// They are counted.
    Rehearsed,
}

/// The removed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Number of runs.
    pub runs: usize,
    /// Number of bytes of their files.
    pub bytes: u64,
}

impl Core {
    /// Creates a project. Its agents work in a folder.
    ///
    /// # Errors
    /// As [`runner::create_project`].
    pub async fn create_project(self: &Arc<Self>, project: ProjectId, home: PathBuf) -> Result<()> {
        let core = self.clone();
        let work = move || {
            runner::create_project(&core.runner, &project, &home)?;
            Ok(core.index.look_at_project(&core.runner.tree, &project)?)
        };
        self.shutdown.owned(blocking::run(work)).await
    }

    /// Deletes a task that has ended.
    ///
    /// # Errors
    /// While it is driven or has a ticket.
    pub async fn delete(self: &Arc<Self>, task: TaskRef) -> Result<()> {
        let name = task.clone();
        self.delete_at_rest(task, move |core| runner::delete(&core.runner, &name)).await
    }

    /// Deletes a run that has ended.
    ///
    /// # Errors
    /// While it runs, or its task has a driver.
    pub async fn delete_run(self: &Arc<Self>, run: RunRef) -> Result<()> {
        self.delete_at_rest(run.task.clone(), move |core| runner::delete_run(&core.runner, &run)).await
    }

    /// Deletes a project with all its tasks.
    ///
    /// # Errors
    /// While a task of it is driven or has a ticket, and nothing is deleted then.
    pub async fn delete_project(self: &Arc<Self>, project: ProjectId, force: Force) -> Result<Deleted> {
        let core = self.clone();
        let work = async move {
            if force == Force::Stop {
                core.stop_all_of(&project).await?;
            }
            blocking::run(move || {
                let deleted = runner::delete_project(&core.runner, &project);
                // Also after a failure, because some tasks may be gone.
                for task in core.index.tasks(Some(&project)) {
                    core.keeper.refresh(&task.task)?;
                }
                core.index.look_at_project(&core.runner.tree, &project)?;
                deleted
            })
            .await
        };
        self.shutdown.owned(work).await
    }

    /// Removes the old runs of a project.
    ///
    /// # Errors
    /// If the project does not exist, or something cannot be removed.
    pub async fn collect(
        self: &Arc<Self>,
        project: ProjectId,
        policy: Policy,
        cleaning: Cleaning,
    ) -> Result<Collected> {
        let core = self.clone();
        let work = move || {
            if core.index.project(&project).is_none() {
                return Err(TreeError::NotFound { what: format!("project {project}") }.into());
            }
            let mut collected = Collected::default();
            for found in runner::old(&core.runner.tree, &project, &policy)? {
                if cleaning == Cleaning::Real {
                    if !runner::collect(&core.runner, &found.old, &policy)? {
                        continue;
                    }
                    let (OldItem::Task(task) | OldItem::Run(RunRef { task, .. })) = &found.old;
                    core.keeper.refresh(task)?;
                }
                collected.runs += found.runs;
                collected.bytes += found.bytes;
            }
            Ok(collected)
        };
        self.shutdown.owned(blocking::run(work)).await
    }

    /// Deletes a part of a task. A driver that has seen its last run end gets a moment to release the lock.
    async fn delete_at_rest(
        self: &Arc<Self>,
        task: TaskRef,
        delete: impl Fn(&Self) -> Result<()> + Clone + Send + 'static,
    ) -> Result<()> {
        let core = self.clone();
        let work = async move {
            let deadline = tokio::time::Instant::now() + LETTING_GO;
            loop {
                let (one, again, name) = (core.clone(), delete.clone(), task.clone());
                let done = blocking::run(move || {
                    let done = again(&one);
                    one.keeper.refresh(&name)?;
                    done
                })
                .await;
                let busy = |e: &RunnerError| {
                    matches!(e, RunnerError::Tree(TreeError::Locked { .. } | TreeError::Exists { .. }))
                };
                let late = tokio::time::Instant::now() >= deadline;
                match done {
                    Err(e) if busy(&e) && !late && core.is_ending(&task) => tokio::time::sleep(LOOK).await,
                    done => return done,
                }
            }
        };
        self.shutdown.owned(work).await
    }

    /// Returns true if no run of a task is active or about to start.
    fn is_ending(&self, task: &TaskRef) -> bool {
        let open = |s: Option<RunStatus>| matches!(s, Some(RunStatus::Running | RunStatus::Created));
        self.index.task(task).is_some_and(|t| t.standing.is_none() && !t.runs.iter().any(|r| open(r.status)))
    }

    async fn stop_all_of(self: &Arc<Self>, project: &ProjectId) -> Result<()> {
        let wanted = || self.index.wanted().into_iter().filter(|t| t.project == *project);
        for task in wanted() {
            match self.stop(task).await {
                // The task is gone in the meantime.
                Err(RunnerError::Tree(TreeError::NotFound { .. })) => {}
                stopped => drop(stopped?),
            }
        }
        let deadline = tokio::time::Instant::now() + STOPPING;
        while wanted().next().is_some() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}
