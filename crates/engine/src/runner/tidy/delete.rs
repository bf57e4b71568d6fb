//! Deletes an inactive run, task or project: each is renamed into the trash, and removed there.

use crate::runner::{
    Runner,
    accept::{new_run::discard, resume::must_exist, submit::holder},
    error::Result,
    tidy::collect::size,
};
use tree::{
    Holder, TreeError,
    ids::ProjectId,
    paths::ProjectDir,
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
    task_lock::TaskLock,
};
use view::scan;

/// The things that were deleted with a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Number of its tasks.
    pub tasks: usize,
    /// Number of bytes of its files.
    pub bytes: u64,
}

/// Deletes a task with all its runs. The task must have ended.
///
/// # Errors
/// [`TreeError::Locked`] or [`TreeError::Exists`] while it is driven or has a ticket: stop it first.
pub fn delete(runner: &Runner, task: &TaskRef) -> Result<()> {
    must_exist(runner, task)?;
    let lock = lock_unwanted(runner, task)?;
    let discarded = discard(runner, task.dir().path());
    drop(lock);
    discarded
}

/// Deletes a run. The run must have ended, and its task must have no driver.
///
/// # Errors
/// [`TreeError::NotFound`] if the run does not exist; [`TreeError::Locked`] while the run or its task is active.
pub fn delete_run(runner: &Runner, run: &RunRef) -> Result<()> {
    let tree = &runner.tree;
    must_exist(runner, &run.task)?;
    if !tree.root().exists(run.dir().path())? {
        return Err(TreeError::NotFound { what: format!("run {run}") }.into());
    }
    refuse_unless_ended(runner, run)?;
    let lock = tree.lock_task(&run.task, &holder())?;
    // Checked again under the lock, because the run may just have been started.
    refuse_unless_ended(runner, run)?;
    let discarded = discard(runner, run.dir().path());
    drop(lock);
    discarded
}

/// Deletes a project with all its tasks, none of which may be driven or have a ticket.
///
/// # Errors
/// [`TreeError::NotFound`] if the project does not exist; [`TreeError::Locked`] or [`TreeError::Exists`] while one of
/// its tasks is driven or has a ticket, and nothing is deleted then.
pub fn delete_project(runner: &Runner, project: &ProjectId) -> Result<Deleted> {
    let tree = &runner.tree;
    let dir = ProjectDir::new(project);
    if !tree.root().exists(dir.path())? {
        return Err(TreeError::NotFound { what: format!("project {project}") }.into());
    }
    let tasks = || -> Result<Vec<TaskRef>> {
        let named = |task| TaskRef { project: project.clone(), task };
        Ok(tree.tasks(project)?.into_iter().map(named).collect())
    };
    for task in tasks()? {
        drop(lock_unwanted(runner, &task)?);
    }
    let mut deleted = Deleted { tasks: 0, bytes: size(tree, dir.path())? };
    for task in tasks()? {
        delete(runner, &task)?;
        deleted.tasks += 1;
    }
    if let Some(new) = tasks()?.first() {
        return Err(TreeError::Exists { what: format!("task {new}, which has just been made,") }.into());
    }
    discard(runner, dir.path())?;
    Ok(deleted)
}

fn lock_unwanted(runner: &Runner, task: &TaskRef) -> Result<TaskLock> {
    let lock = runner.tree.lock_task(task, &holder())?;
    match runner.tree.ticket_of(task)? {
        Some((id, ..)) => Err(TreeError::Exists { what: format!("ticket {id} of task {task}") }.into()),
        None => Ok(lock),
    }
}

fn refuse_unless_ended(runner: &Runner, run: &RunRef) -> Result<()> {
    let tree = &runner.tree;
    let busy = |by: &str| TreeError::Locked { what: format!("run {run}"), by: Holder::named(by) };
    if tree.ticket_of(&run.task)?.is_some_and(|(.., ticket)| ticket.run_id == run.run) {
        return Err(busy("its task, which is still at work; stop it first").into());
    }
    match scan::run(tree, run.clone()).record {
        Ok((_, RunStatus::Running)) => Err(busy("its agent, which is still running; stop it first").into()),
        // An unreadable record does not prevent the deletion.
        _ => Ok(()),
    }
}
