//! Acceptance: from a submission to a ticket. Everything that can be refused is refused before anything is written.
//!
//! Order: task folder, TASK.md, TASK-CONFIG.yaml, run folder (`created`, prompt.md), ticket. The ticket is the
//! commit: a crash before it leaves a task that was never accepted, which the next submission of the same id takes over.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

use super::{
    Runner,
    error::{Result, RunnerError},
    launch, prompt,
};
use crate::{
    fsx::RelPath,
    tree::{
        TreeError, format,
        ids::{RunId, TaskId, TicketId},
        refs::{RunRef, TaskRef},
        run_info::{ProcessOwnership, RunInfo, RunStatus},
        task::{TaskConfig, TaskKind},
        task_lock::TaskLock,
        ticket::Ticket,
    },
};

/// A task as somebody asks for it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its name.
    pub task: TaskRef,
    /// A loop or a single run.
    pub kind: TaskKind,
    /// Name of the agent.
    pub agent: String,
    /// What is to be done.
    pub prompt: String,
    /// Working folder of the agent.
    pub cwd: Option<PathBuf>,
    /// Program and arguments, for an agent given on the command line.
    pub command: Vec<String>,
    /// Settings of this task alone.
    pub config: BTreeMap<String, Value>,
    /// Tasks that must be done before.
    pub depends_on: Vec<TaskId>,
    /// The run whose agent asks.
    pub parent_run_id: Option<RunId>,
    /// The project's work folder, should the project be new.
    pub project_root: Option<PathBuf>,
}

/// An accepted task. Its lock is still held by us.
#[derive(Debug)]
pub struct Accepted {
    /// Number of the ticket.
    pub ticket_id: TicketId,
    /// The ticket.
    pub ticket: Ticket,
    /// The right to drive it.
    pub lock: TaskLock,
}

/// Accepts a task: when this returns, its files and its ticket are durable.
///
/// # Errors
/// Unknown agent, missing program or folder, a bad setting, a task that exists: nothing is written then.
pub fn accept(runner: &Runner, submission: &Submission) -> Result<Accepted> {
    if submission.prompt.trim().is_empty() {
        return Err(RunnerError::Refused("the prompt is empty".to_owned()));
    }
    let config = TaskConfig {
        version: 1,
        agent: submission.agent.clone(),
        kind: submission.kind,
        cwd: submission.cwd.as_ref().map(|p| p.display().to_string()),
        command: submission.command.clone(),
        depends_on: submission.depends_on.clone(),
        parent_run_id: submission.parent_run_id.clone(),
        config: submission.config.clone(),
        extra: BTreeMap::new(),
    };
    let task = &submission.task;
    let cwd = launch::work_folder(runner, task, &config, submission.project_root.as_deref())?;
    let checked = launch::check(runner, &config, &cwd)?;

    let root = runner.tree.root();
    if root.mkdir(task.project_dir().path())?
        && let Some(home) = &submission.project_root
    {
        root.replace(&task.project_dir().root_marker(), format!("{}\n", home.display()).as_bytes())?;
    }
    let fresh = root.mkdir(task.dir().path())?;
    let lock = runner.tree.lock_task(task, &holder())?;
    if !fresh {
        refuse_if_accepted_before(runner, task)?;
    }
    root.replace(&task.dir().prompt(), submission.prompt.as_bytes())?;
    lock.write_config(&runner.tree, &config)?;
    let info = first_info(runner, submission, checked.agent_type.as_str(), &cwd);
    let run = make_run(runner, &lock, info, &submission.prompt)?;

    let ticket = Ticket {
        version: 1,
        project_id: task.project.clone(),
        task_id: task.task.clone(),
        run_id: run.run,
        kind: submission.kind,
        parent_run_id: submission.parent_run_id.clone(),
        attempt: 1,
        not_before: None,
        reason: None,
    };
    let ticket_id = runner.tree.planner()?.accept(&ticket)?;
    Ok(Accepted { ticket_id, ticket, lock })
}

/// How the holder of a task's lock names itself, for people.
pub(super) fn holder() -> String {
    let me = crate::process::identity::ProcessId::current();
    format!("run-agent (pid {}, started {})", me.pid, me.started)
}

/// A task folder that a crash left behind before its ticket was there is no task yet.
fn refuse_if_accepted_before(runner: &Runner, task: &TaskRef) -> Result<()> {
    let exists = || RunnerError::Tree(TreeError::Exists { what: format!("task {task}") });
    let root = runner.tree.root();
    if runner.tree.ticket_of(task)?.is_some() || root.exists(&task.dir().done())? {
        return Err(exists());
    }
    let mut leftovers = Vec::new();
    for entry in root.list(&task.dir().runs())? {
        let run = task.run(entry.name.parse::<RunId>().map_err(TreeError::from)?);
        match runner.tree.run_info(&run) {
            Ok(info) if info.status == RunStatus::Created => leftovers.push(run),
            Err(TreeError::NotFound { .. }) => leftovers.push(run),
            _ => return Err(exists()),
        }
    }
    // A task that somebody made by hand, with files of its own, is not ours to overwrite.
    if leftovers.is_empty() && root.exists(&task.dir().config())? && root.exists(&task.dir().bus())? {
        return Err(exists());
    }
    for run in leftovers {
        discard(runner, run.dir().path())?;
    }
    Ok(())
}

/// Moves a folder into the trash and removes it there, so that no reader meets half of it.
pub(super) fn discard(runner: &Runner, path: &RelPath) -> Result<()> {
    let root = runner.tree.root();
    let trash = crate::tree::paths::top::trash();
    root.ensure_dir(&trash)?;
    let target = trash.join(RunId::generate(runner.tree.clock().now()));
    root.rename(path, &target)?;
    Ok(root.remove_tree(&target)?)
}

fn first_info(runner: &Runner, submission: &Submission, agent_type: &str, cwd: &std::path::Path) -> RunInfo {
    let now = runner.tree.clock().now();
    RunInfo {
        version: 1,
        run_id: RunId::generate(now),
        project_id: submission.task.project.clone(),
        task_id: submission.task.task.clone(),
        status: RunStatus::Created,
        agent: submission.agent.clone(),
        agent_type: agent_type.to_owned(),
        agent_version: None,
        driver: "exec".to_owned(),
        executor: "local".to_owned(),
        host: None,
        pid: None,
        pgid: None,
        pid_started: None,
        process_ownership: ProcessOwnership::Managed,
        parent_run_id: submission.parent_run_id.clone(),
        previous_run_id: None,
        attempt: 1,
        start_time: now,
        end_time: None,
        exit_code: None,
        signal: None,
        error_summary: None,
        cwd: Some(cwd.display().to_string()),
        prompt_path: String::new(),
        output_path: String::new(),
        stdout_path: String::new(),
        stderr_path: String::new(),
        commandline: None,
        thread_id: None,
        usage: None,
        extra: BTreeMap::new(),
    }
}

/// Makes a run's folder with its record and its prompt. A clash of names is seen, and a new name taken.
pub(super) fn make_run(runner: &Runner, lock: &TaskLock, mut info: RunInfo, words: &str) -> Result<RunRef> {
    let root = runner.tree.root();
    let task = lock.task();
    root.ensure_dir(&task.dir().runs())?;
    let run = loop {
        let run = task.run(info.run_id.clone());
        if root.mkdir(run.dir().path())? {
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
    root.replace(&dir.prompt(), prompt::compose(runner, &info, words).as_bytes())?;
    format::write(root, &dir.info(), &info)?;
    Ok(run)
}
