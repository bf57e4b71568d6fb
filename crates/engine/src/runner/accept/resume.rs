//! Resumes a task that has ended.

use std::path::{Path, PathBuf};

use crate::{
    planner::{self, Entry, Limits},
    runner::{
        Runner,
        accept::{
            folder, idempotency, lineage,
            new_run::{NewRun, discard_unaccepted, make_run, some_ticket_is_unreadable},
            submit::{Accepted, holder},
        },
        agent::launch,
        attempt::conversation,
        error::{Result, RunnerError},
        loops::next_run,
    },
};
use base::record::MAX_RECORD;
use tree::{
    TreeError,
    ids::RunId,
    kinds::Executor,
    refs::TaskRef,
    task::{Idempotency, TaskConfig, TaskKind},
    task_lock::TaskLock,
    ticket::Ticket,
};

/// A request to resume a task.
#[derive(Debug, Clone, Default)]
pub struct ResumeRequest {
    /// The identity of the request, if it may be repeated.
    pub idempotency: Option<Idempotency>,
    /// The folder in which the caller expects the task to work.
    pub folder: Option<PathBuf>,
    /// The run of the agent that asks; it must be live.
    pub parent_run_id: Option<RunId>,
}

/// Resumes a task: removes its markers, and creates a new ticket.
///
/// # Errors
/// [`RunnerError::OtherFolder`] if the task works in another folder than the caller expects; [`RunnerError::Refused`]
/// if the task has neither DONE nor STOP and has not failed; [`TreeError::Locked`] while the task has a driver.
pub fn resume(runner: &Runner, task: &TaskRef, request: &ResumeRequest, entry: Entry) -> Result<Accepted> {
    let tree = &runner.tree;
    let root = tree.root();
    root.must_be_in_place()?;
    must_exist(runner, task)?;
    let (done, stop) = (task.dir().done(), task.dir().stop());
    let lock = tree.lock_task(task, &holder())?;
    if let Some((id, ..)) = tree.ticket_of(task)? {
        return Err(TreeError::Exists { what: format!("ticket {id} of task {task}") }.into());
    }
    must_be_resumable(runner, task)?;
    let config = tree.task_config(task)?;
    // Without a message its agent would have nothing to answer, and its run would fail.
    if config.kind == TaskKind::Session && !conversation::message_waits(tree, task)? {
        let text = format!("{task} is a session, and no message waits: its next message continues it");
        return Err(RunnerError::Refused(text));
    }
    folder::must_work_in(runner, task, request.folder.as_deref())?;
    let cwd = folder::of_task(runner, task, &config)?;
    let executor = launch::check(runner, &config, &cwd)?.executor;
    let parent = parent(runner, &config, request)?;
    discard_unaccepted(runner, task, None)?;
    // The record of the end is removed last: after a crash in between, the task can still be resumed because of it.
    root.remove(&done)?;
    root.remove(&stop)?;
    let accepted = new_loop(
        runner,
        lock,
        task,
        NewLoop { cwd: &cwd, executor, parent, asked: request.idempotency.as_ref(), entry },
    )?;
    accepted.lock.clear_end(tree)?;
    Ok(accepted)
}

/// The parent of the new loop: the run of the agent that asks, else the one that started the task. If that one has
/// ended, the task is resumed as a root: a child waits for no place only while its parent waits for it.
fn parent(runner: &Runner, config: &TaskConfig, request: &ResumeRequest) -> Result<Option<RunId>> {
    if let Some(parent) = &request.parent_run_id {
        lineage::check_parent(&runner.tree, parent)?;
        return Ok(Some(parent.clone()));
    }
    match &config.parent_run_id {
        Some(parent) if lineage::is_live(&runner.tree, parent)? => Ok(Some(parent.clone())),
        _ => Ok(None),
    }
}

/// The decisions about a resumed loop.
struct NewLoop<'a> {
    cwd: &'a Path,
    executor: Executor,
    parent: Option<RunId>,
    asked: Option<&'a Idempotency>,
    entry: Entry,
}

fn new_loop(runner: &Runner, lock: TaskLock, task: &TaskRef, new: NewLoop<'_>) -> Result<Accepted> {
    let NewLoop { cwd, executor, parent, asked, entry } = new;
    let tree = &runner.tree;
    let mut config = tree.task_config(task)?;
    let agent_type = agents::find(&*runner.config_in(cwd)?, &config.agent)?.agent_type;
    let last = tree.runs(task)?.pop().and_then(|id| tree.run_info(&task.run(id)).ok());
    let words = if let Some(last) = &last {
        next_run::continued(runner, last)?
    } else {
        let prompt = tree.root().read_opt(&task.dir().prompt(), MAX_RECORD)?.unwrap_or_default();
        String::from_utf8_lossy(&prompt).into_owned()
    };
    let run = NewRun {
        agent: &config.agent,
        agent_type: agent_type.as_str(),
        executor,
        cwd,
        parent: parent.clone(),
        previous: last.as_ref(),
        attempt: 1,
        command: &config.command,
        words: &words,
        protocol: launch::protocol_of(&config.agent, agent_type, config.kind)?,
    };
    let mut batch = tree.root().batch();
    let run = make_run(runner, &lock, &mut batch, run)?;
    if let Some(asked) = asked {
        // Written before the ticket: a request that is not accepted has no effect, and takes effect when it is
        // repeated.
        idempotency::remember(&mut config, asked, &run.run);
        lock.write_config(tree, &config, &mut batch)?;
    }
    let ticket = Ticket {
        version: 1,
        project_id: task.project.clone(),
        task_id: task.task.clone(),
        run_id: run.run,
        kind: config.kind,
        parent_run_id: parent,
        depends_on: config.depends_on,
        attempt: 1,
        restarts: 0,
        not_before: None,
        reason: None,
    };
    let new = tree.new_ticket(&mut batch, &ticket)?;
    batch.commit()?;
    let (ticket_id, place) = planner::accept(tree, Limits::of(&runner.config.defaults), new, entry)?;
    Ok(Accepted { ticket_id, place, ticket, lock })
}

/// Removes the runs of a task that no ticket names and that were never started. A crash prevented their acceptance.
///
/// # Errors
/// [`TreeError::Locked`] while the task has a driver.
pub fn discard_abandoned(runner: &Runner, task: &TaskRef) -> Result<()> {
    let _lock = runner.tree.lock_task(task, &holder())?;
    // Checked under the lock, because the task may just have been accepted. An unreadable ticket may have accepted it
    // long ago.
    if runner.tree.ticket_of(task)?.is_none() && !some_ticket_is_unreadable(&runner.tree)? {
        discard_unaccepted(runner, task, None)?;
    }
    Ok(())
}

/// Fails if there is nothing to resume, or the task is active.
///
/// # Errors
/// [`RunnerError::Refused`] if the task has neither DONE nor STOP and has not failed.
pub fn must_be_resumable(runner: &Runner, task: &TaskRef) -> Result<()> {
    let (tree, dir) = (&runner.tree, task.dir());
    must_exist(runner, task)?;
    if tree.root().is_file(&dir.done())?
        || tree.root().is_file(&dir.stop())?
        || tree.task_end(task)?.is_some()
    {
        return Ok(());
    }
    let text = format!("task {task} has neither DONE nor STOP: there is nothing to resume");
    Err(RunnerError::Refused(text))
}

pub(in crate::runner) fn must_exist(runner: &Runner, task: &TaskRef) -> Result<()> {
    if runner.tree.root().exists(task.dir().path())? {
        Ok(())
    } else {
        Err(TreeError::NotFound { what: format!("task {task}") }.into())
    }
}
