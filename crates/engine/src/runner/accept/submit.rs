//! Acceptance: from a submission to a ticket. Everything that can be refused is refused before anything is written.
//!
//! Order: task folder, TASK.md, TASK-CONFIG.yaml, run folder (`created`, prompt.md), ticket. The ticket is the commit:
//! a crash before it leaves a task that was never accepted, which the next submission of the same id takes over.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    planner::{self, Entry, Limits},
    runner::{
        Runner,
        accept::{
            folder, lineage,
            new_run::{NewRun, discard, discard_unaccepted, make_run, some_ticket_is_unreadable},
            project, thread,
        },
        agent::launch,
        error::{Result, RunnerError},
    },
};
use base::{
    fsx::Batch,
    record::{self, MAX_RECORD},
};
use tree::{
    Holder, TreeError,
    ids::{RunId, TaskId, TicketId},
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
    session::CommandLine,
    task::{Idempotency, TaskConfig, TaskKind},
    task_lock::TaskLock,
    thread_link::{ThreadLink, ThreadParent},
    ticket::{Ticket, TicketFolder},
};
use view::dependency;

/// The id of the command with a session's first message.
pub const FIRST_MESSAGE: &str = "first";

/// A requested task.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its name.
    pub task: TaskRef,
    /// A loop or a single run.
    pub kind: TaskKind,
    /// Name of the agent.
    pub agent: String,
    /// The prompt.
    pub prompt: String,
    /// The working folder of the agent; without one, the project's home, else the task's own folder.
    pub cwd: Option<PathBuf>,
    /// Program and arguments, for an agent given on the command line.
    pub command: Vec<String>,
    /// Settings of this task alone.
    pub config: BTreeMap<String, Value>,
    /// Tasks that must be done first.
    pub depends_on: Vec<TaskId>,
    /// The run of the agent that makes the request.
    pub parent_run_id: Option<RunId>,
    /// The project's home.
    pub home: Home,
    /// The origin of the request.
    pub origin: Origin,
}

/// The home of the project, according to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Home {
    /// Not stated: a new project gets no home.
    #[default]
    Unsaid,
    /// The home of the project if it is new; an existing project keeps its own.
    IfNew(PathBuf),
    /// The project was found by this folder, which must be its home.
    Exactly(PathBuf),
}

/// The origin of a submission.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The message that the task answers.
    pub thread: Option<ThreadParent>,
    /// The identity of the request.
    pub idempotency: Option<Idempotency>,
}

/// An accepted task, still locked by this process.
#[derive(Debug)]
pub struct Accepted {
    /// The number of the ticket.
    pub ticket_id: TicketId,
    /// The folder of the ticket.
    pub place: TicketFolder,
    /// The ticket.
    pub ticket: Ticket,
    /// The right to drive the task.
    pub lock: TaskLock,
}

/// Accepts a task: when this function returns, the task's files and its ticket are durable.
///
/// # Errors
/// Unknown agent, missing program or folder, an invalid setting, an existing task: nothing is written then. What is
/// written before a later error, such as a full disk, is removed.
pub fn accept(runner: &Runner, submission: &Submission, entry: Entry) -> Result<Accepted> {
    let task = &submission.task;
    runner.tree.root().must_be_in_place()?;
    let was_there = runner.tree.root().exists(task.dir().path())?;
    let accepted = accept_once(runner, submission, entry);
    if accepted.is_err()
        && !was_there
        && let Err(e) = remove_refused(runner, task)
    {
        tracing::warn!(error = %e, task = %task, "the folder of a refused task cannot be removed");
    }
    accepted
}

/// Removes the folder that a refused submission has made, so that no list shows a task that was never accepted.
fn remove_refused(runner: &Runner, task: &TaskRef) -> Result<()> {
    let root = runner.tree.root();
    if !root.exists(task.dir().path())? {
        return Ok(());
    }
    let lock = match runner.tree.lock_task(task, &holder()) {
        // Another submission of this name is at work in the folder.
        Err(TreeError::Locked { .. }) => return Ok(()),
        lock => lock?,
    };
    if !is_accepted(runner, task)? {
        // On a full disk there may be no room for the trash.
        discard(runner, task.dir().path()).or_else(|_| root.remove_tree(task.dir().path()))?;
    }
    drop(lock);
    Ok(())
}

fn accept_once(runner: &Runner, submission: &Submission, entry: Entry) -> Result<Accepted> {
    let mut laid_out = lay_out(runner, submission)?;
    let RunRef { task, run } = laid_out.run.clone();
    let ticket = Ticket {
        version: 1,
        project_id: task.project,
        task_id: task.task,
        run_id: run,
        kind: submission.kind,
        parent_run_id: submission.parent_run_id.clone(),
        depends_on: submission.depends_on.clone(),
        attempt: 1,
        restarts: 0,
        not_before: None,
        reason: None,
    };
    let new = runner.tree.new_ticket(&mut laid_out.batch, &ticket)?;
    let (lock, _) = laid_out.commit(runner, submission)?;
    let (ticket_id, place) = planner::accept(&runner.tree, Limits::of(&runner.config.defaults), new, entry)?;
    if let Err(e) = thread::link_back(runner, &submission.task) {
        // The task is accepted; the driver that takes over after a restart tries again.
        tracing::warn!(error = %e, task = %submission.task, "cannot link the answered message to the task that answers it");
    }
    Ok(Accepted { ticket_id, place, ticket, lock })
}

/// All files of a task before its ticket, which are not durable yet.
pub(in crate::runner) struct LaidOut<'a> {
    batch: Batch<'a>,
    lock: TaskLock,
    run: RunRef,
    link: Option<ThreadLink>,
}

impl LaidOut<'_> {
    /// For a process that must have only one thread.
    pub(in crate::runner) fn on_one_thread(self) -> Self {
        Self { batch: self.batch.without_helpers(), ..self }
    }

    /// Makes the files durable. If the task answers a message, also posts the request to the task's bus.
    pub(in crate::runner) fn commit(
        self,
        runner: &Runner,
        submission: &Submission,
    ) -> Result<(TaskLock, RunRef)> {
        self.batch.commit()?;
        if let Some(link) = &self.link {
            thread::post_request(runner, &self.run, link, &submission.prompt)?;
        }
        Ok((self.lock, self.run))
    }
}

/// Creates the task's folder and files, and those of its first run.
pub(in crate::runner) fn lay_out<'a>(runner: &'a Runner, submission: &Submission) -> Result<LaidOut<'a>> {
    if submission.prompt.trim().is_empty() {
        return Err(RunnerError::Refused("the prompt is empty".to_owned()));
    }
    let mut config = TaskConfig {
        version: 1,
        agent: submission.agent.clone(),
        kind: submission.kind,
        cwd: None,
        command: submission.command.clone(),
        depends_on: submission.depends_on.clone(),
        parent_run_id: submission.parent_run_id.clone(),
        idempotency: submission.origin.idempotency.clone(),
        resumed: Vec::new(),
        config: submission.config.clone(),
        extra: BTreeMap::new(),
    };
    let task = &submission.task;
    if let Some(ring) = dependency::cycle(&runner.tree, task, &submission.depends_on)? {
        return Err(RunnerError::Cycle(ring.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" -> ")));
    }
    let folder = folder::of_new(runner, task, submission.cwd.as_deref())?;
    // The task's own folder is not recorded, so that the tree may be moved.
    config.cwd = folder.as_ref().map(|folder| folder.display().to_string());
    let cwd = folder.unwrap_or_else(|| runner.tree.root().absolute(task.dir().path()));
    let checked = launch::check(runner, &config, &cwd)?;
    let home = home(runner, submission)?;
    // Last: a fault of the request itself is reported before a fault of what it refers to.
    if let Some(parent) = &submission.parent_run_id {
        lineage::check_parent(&runner.tree, parent)?;
    }
    let link = submission.origin.thread.as_ref().map(|parent| thread::link(runner, parent)).transpose()?;
    keep_prompt_by_hand(runner, submission)?;

    let root = runner.tree.root();
    // None of these files counts before the ticket does, and the ticket is renamed after all of them are durable.
    let mut batch = root.batch();
    if let Some(home) = &home {
        project::publish(runner, &task.project, home)?;
        must_be_home(runner, submission, home)?;
    }
    batch.mkdir(task.project_dir().path())?;
    let fresh = batch.mkdir(task.dir().path())?;
    let lock = runner.tree.lock_task(task, &holder())?;
    if !fresh {
        refuse_if_accepted_before(runner, task)?;
    }
    batch.write(&task.dir().prompt(), submission.prompt.as_bytes())?;
    lock.write_config(&runner.tree, &config, &mut batch)?;
    match &link {
        Some(link) => record::write_in(&mut batch, root, &task.dir().thread_link(), link)?,
        // A crash may have left the link of another submission.
        None => drop(root.remove(&task.dir().thread_link())?),
    }
    let run = make_run(
        runner,
        &lock,
        &mut batch,
        NewRun {
            agent: &submission.agent,
            agent_type: checked.agent_type.as_str(),
            executor: checked.executor,
            cwd: &cwd,
            parent: submission.parent_run_id.clone(),
            previous: None,
            attempt: 1,
            command: &submission.command,
            words: &submission.prompt,
            protocol: checked.protocol,
        },
    )?;
    if submission.kind == TaskKind::Session {
        batch.write(&task.dir().commands(), &first_message(runner, &submission.prompt))?;
    }
    Ok(LaidOut { batch, lock, run, link })
}

/// Returns the line of a session's first message.
fn first_message(runner: &Runner, text: &str) -> Vec<u8> {
    let line = CommandLine {
        id: Some(FIRST_MESSAGE.to_owned()),
        time: Some(runner.tree.clock().now()),
        actor: None,
        source: None,
        kind: "turn".to_owned(),
        text: Some(text.to_owned()),
        turn: None,
        extra: BTreeMap::new(),
    };
    // A command always converts to JSON: its keys are strings.
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Fails if a user has written a TASK.md for this task, with another prompt. A folder that a crash has left behind has
/// a lock beside the file, because that is made first.
fn keep_prompt_by_hand(runner: &Runner, submission: &Submission) -> Result<()> {
    let (root, dir) = (runner.tree.root(), submission.task.dir());
    if root.exists(&dir.lock())? {
        return Ok(());
    }
    match root.read_if_file(&dir.prompt(), MAX_RECORD)? {
        Some(prompt) if prompt != submission.prompt.as_bytes() => {
            Err(RunnerError::PromptByHand { path: root.absolute(&dir.prompt()) })
        }
        _ => Ok(()),
    }
}

/// Returns the home for a new project, by its canonical path. For an existing project, checks the submission against
/// it.
fn home(runner: &Runner, submission: &Submission) -> Result<Option<PathBuf>> {
    let (Home::IfNew(named) | Home::Exactly(named)) = &submission.home else { return Ok(None) };
    let home = folder::usable(named)?;
    if runner.tree.root().exists(submission.task.project_dir().path())? {
        must_be_home(runner, submission, &home)?;
        return Ok(None);
    }
    project::check_home(runner, &home)?;
    Ok(Some(home))
}

/// Refuses a project that was found by a folder, but belongs to another folder by now.
fn must_be_home(runner: &Runner, submission: &Submission, home: &Path) -> Result<()> {
    let project = &submission.task.project;
    if matches!(submission.home, Home::Exactly(_)) && !project::is_home(&runner.tree, project, home)? {
        return Err(RunnerError::OtherHome { project: project.clone(), home: home.to_owned() });
    }
    Ok(())
}

/// This process, as the holder of a task's lock.
pub(in crate::runner) fn holder() -> Holder {
    process::identity::holder("run-agent")
}

/// Fails if the task exists. A task folder that a crash left behind before its ticket was written does not count.
fn refuse_if_accepted_before(runner: &Runner, task: &TaskRef) -> Result<()> {
    if is_accepted(runner, task)? {
        return Err(TreeError::Exists { what: format!("task {task}") }.into());
    }
    discard_unaccepted(runner, task, None)
}

/// Returns true if a task with a folder was accepted.
pub(in crate::runner) fn is_accepted(runner: &Runner, task: &TaskRef) -> Result<bool> {
    let root = runner.tree.root();
    let ended = root.is_file(&task.dir().done())? || root.exists(&task.dir().end())?;
    if ended || runner.tree.ticket_of(task)?.is_some() {
        return Ok(true);
    }
    let started = |id: &RunId| -> Result<bool> {
        let run = task.run(id.clone());
        let begun = runner.tree.run_info(&run).is_ok_and(|i| i.status != RunStatus::Created);
        Ok(begun || root.exists(&run.dir().claim())?)
    };
    let runs = runner.tree.runs(task)?;
    for id in &runs {
        if started(id)? {
            return Ok(true);
        }
    }
    // An unreadable ticket may have accepted any run.
    Ok(!runs.is_empty() && some_ticket_is_unreadable(&runner.tree)?)
}
