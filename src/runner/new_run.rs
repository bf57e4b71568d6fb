//! Creates and discards the folder of a run.

use std::{collections::BTreeMap, path::Path};

use super::{Runner, error::Result, prompt};
use crate::{
    fsx::{Batch, RelPath},
    record,
    tree::{
        Tree, TreeError,
        ids::RunId,
        kinds::{Executor, Protocol},
        paths::top,
        refs::{RunRef, TaskRef},
        run_info::{ProcessOwnership, RunInfo, RunStatus},
        task_lock::TaskLock,
        ticket::{Place, Ticket},
    },
};

/// The parameters of a new run.
#[derive(Debug)]
pub(super) struct NewRun<'a> {
    pub(super) agent: &'a str,
    pub(super) agent_type: &'a str,
    pub(super) executor: Executor,
    pub(super) cwd: &'a Path,
    pub(super) parent: Option<RunId>,
    /// The attempt before it.
    pub(super) previous: Option<&'a RunInfo>,
    pub(super) attempt: u32,
    /// The prompt, without the preamble.
    pub(super) words: &'a str,
}

/// Creates a run's folder with its record and its prompt, durable together with the batch. If the name is taken,
/// another one is chosen.
pub(super) fn make_run(
    runner: &Runner,
    lock: &TaskLock,
    batch: &mut Batch<'_>,
    new: NewRun<'_>,
) -> Result<RunRef> {
    let root = runner.tree.root();
    let task = lock.task();
    let words = new.words;
    let mut info = record(runner, task, new);
    batch.mkdir(&task.dir().runs())?;
    let run = loop {
        let run = task.run(info.run_id.clone());
        if batch.mkdir(run.dir().path())? {
            break run;
        }
        info.run_id = RunId::generate(runner.tree.clock().now());
    };
    let dir = run.dir();
    let path = |rel: RelPath| root.absolute(&rel).display().to_string();
    info.prompt_path = path(dir.prompt());
    info.output_path = path(dir.output());
    info.stdout_path = path(dir.stdout());
    info.stderr_path = path(dir.stderr());
    batch.write(&dir.prompt(), prompt::compose(runner, &info, words).as_bytes())?;
    record::write_in(batch, root, &dir.info(), &info)?;
    Ok(run)
}

fn record(runner: &Runner, task: &TaskRef, new: NewRun<'_>) -> RunInfo {
    let now = runner.tree.clock().now();
    RunInfo {
        version: 1,
        run_id: RunId::generate(now),
        project_id: task.project.clone(),
        task_id: task.task.clone(),
        status: RunStatus::Created,
        agent: new.agent.to_owned(),
        agent_type: new.agent_type.into(),
        agent_version: None,
        protocol: Protocol::Exec,
        executor: new.executor,
        host: None,
        pid: None,
        pgid: None,
        pid_started: None,
        process_ownership: ProcessOwnership::Managed,
        parent_run_id: new.parent,
        previous_run_id: new.previous.map(|p| p.run_id.clone()),
        replay_of: None,
        attempt: new.attempt,
        start_time: now,
        end_time: None,
        exit_code: None,
        signal: None,
        error_summary: None,
        cwd: Some(new.cwd.display().to_string()),
        prompt_path: String::new(),
        output_path: String::new(),
        stdout_path: String::new(),
        stderr_path: String::new(),
        commandline: None,
        error_class: None,
        retry_at: None,
        // A conversation belongs to the agent that held it.
        thread_id: new.previous.filter(|p| p.agent == new.agent).and_then(|p| p.thread_id.clone()),
        model: None,
        usage: None,
        thread_usage: None,
        git: None,
        extra: BTreeMap::new(),
    }
}

/// Removes the runs of a task that no ticket names and that were never started. A crash left them behind.
pub(super) fn discard_unaccepted(runner: &Runner, task: &TaskRef, ticket: Option<&Ticket>) -> Result<()> {
    for id in runner.tree.runs(task)? {
        discard_if_unaccepted(runner, &task.run(id), ticket)?;
    }
    Ok(())
}

/// Removes a run that was never accepted. Returns false if it was, or may have been.
pub(super) fn discard_if_unaccepted(runner: &Runner, run: &RunRef, ticket: Option<&Ticket>) -> Result<bool> {
    let root = runner.tree.root();
    let wanted = ticket.is_some_and(|t| t.run_id == run.run);
    if wanted || root.exists(&run.dir().claim())? || !root.exists(run.dir().path())? {
        return Ok(false);
    }
    let unaccepted = match runner.tree.run_info(run) {
        Ok(info) => info.status == RunStatus::Created,
        Err(e) => matches!(e, TreeError::NotFound { .. }),
    };
    if unaccepted {
        discard(runner, run.dir().path())?;
    }
    Ok(unaccepted)
}

/// Returns true if there is an unreadable ticket, which may name any run.
pub(super) fn some_ticket_is_unreadable(tree: &Tree) -> Result<bool> {
    for place in [Place::Queue, Place::Live] {
        if tree.tickets(place)?.iter().any(|file| file.ticket.is_err()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves a folder into the trash and removes it there, so that no reader finds half of it.
pub(super) fn discard(runner: &Runner, path: &RelPath) -> Result<()> {
    let root = runner.tree.root();
    let trash = top::trash();
    root.ensure_dir(&trash)?;
    let target = trash.join(RunId::generate(runner.tree.clock().now()));
    root.rename(path, &target)?;
    Ok(root.remove_tree(&target)?)
}
