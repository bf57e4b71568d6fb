//! Creates and discards the folder of a run, and composes its prompt.

use std::{collections::BTreeMap, path::Path};

use crate::runner::{Runner, error::Result};
use base::{
    fsx::{Batch, RelPath},
    record,
};
use tree::{
    Tree, TreeError,
    ids::RunId,
    kinds::{Executor, Protocol},
    paths::top,
    refs::{RunRef, TaskRef},
    run_info::{ProcessOwnership, RunInfo, RunStatus},
    task_lock::TaskLock,
    ticket::{Ticket, TicketFolder},
};

/// The parameters of a new run.
#[derive(Debug)]
pub(in crate::runner) struct NewRun<'a> {
    pub(in crate::runner) agent: &'a str,
    pub(in crate::runner) agent_type: &'a str,
    pub(in crate::runner) executor: Executor,
    pub(in crate::runner) cwd: &'a Path,
    pub(in crate::runner) parent: Option<RunId>,
    /// The attempt before it.
    pub(in crate::runner) previous: Option<&'a RunInfo>,
    pub(in crate::runner) attempt: u32,
    /// Program and arguments, if the task names them.
    pub(in crate::runner) command: &'a [String],
    /// The prompt, without the preamble.
    pub(in crate::runner) words: &'a str,
    pub(in crate::runner) protocol: Protocol,
}

/// Creates a run's folder with its record and its prompt, durable together with the batch. If the name is taken,
/// another one is chosen.
pub(in crate::runner) fn make_run(
    runner: &Runner,
    lock: &TaskLock,
    batch: &mut Batch<'_>,
    new: NewRun<'_>,
) -> Result<RunRef> {
    let root = runner.tree.root();
    let task = lock.task();
    let (words, delegate) = (new.words, delegate(runner, &new));
    // The runs of a task are sorted by their ids.
    let last = runner.tree.runs(task)?.pop();
    let mut info = record(runner, task, new, last.as_ref());
    batch.mkdir(&task.dir().runs())?;
    let run = loop {
        let run = task.run(info.run_id.clone());
        if batch.mkdir(run.dir().path())? {
            break run;
        }
        info.run_id = RunId::after(runner.tree.clock().now(), last.as_ref());
    };
    let dir = run.dir();
    let path = |rel: RelPath| root.absolute(&rel).display().to_string();
    info.prompt_path = path(dir.prompt());
    info.output_path = path(dir.output());
    info.stdout_path = path(dir.stdout());
    info.stderr_path = path(dir.stderr());
    let prompt = match info.protocol {
        Protocol::Exec | Protocol::Wrap => compose(runner, &info, &delegate, words),
        // A conversation has its messages in a file of the task, and no preamble: people talk to the agent.
        _ => format!("The messages of this session are in {}\n", path(task.dir().commands())),
    };
    batch.write(&dir.prompt(), prompt.as_bytes())?;
    record::write_in(batch, root, &dir.info(), &info)?;
    Ok(run)
}

fn record(runner: &Runner, task: &TaskRef, new: NewRun<'_>, last: Option<&RunId>) -> RunInfo {
    let now = runner.tree.clock().now();
    RunInfo {
        version: 1,
        run_id: RunId::after(now, last),
        project_id: task.project.clone(),
        task_id: task.task.clone(),
        status: RunStatus::Created,
        agent: new.agent.to_owned(),
        agent_type: new.agent_type.into(),
        agent_version: None,
        protocol: new.protocol,
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
        survivors_possible: false,
        notes: Vec::new(),
        extra: BTreeMap::new(),
    }
}

/// Removes the runs of a task that no ticket names and that were never started. A crash left them behind.
pub(in crate::runner) fn discard_unaccepted(
    runner: &Runner,
    task: &TaskRef,
    ticket: Option<&Ticket>,
) -> Result<()> {
    for id in runner.tree.runs(task)? {
        discard_if_unaccepted(runner, &task.run(id), ticket)?;
    }
    Ok(())
}

/// Removes a run that was never accepted. Returns false if it was, or may have been.
pub(in crate::runner) fn discard_if_unaccepted(
    runner: &Runner,
    run: &RunRef,
    ticket: Option<&Ticket>,
) -> Result<bool> {
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
pub(in crate::runner) fn some_ticket_is_unreadable(tree: &Tree) -> Result<bool> {
    for folder in [TicketFolder::Queue, TicketFolder::Live] {
        if tree.tickets(folder)?.iter().any(|file| file.ticket.is_err()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves a folder into the trash and removes it there, so that no reader finds half of it.
pub(in crate::runner) fn discard(runner: &Runner, path: &RelPath) -> Result<()> {
    let root = runner.tree.root();
    let trash = top::trash();
    root.ensure_dir(&trash)?;
    let target = trash.join(RunId::generate(runner.tree.clock().now()));
    root.rename(path, &target)?;
    Ok(root.remove_tree(&target)?)
}

/// The longest command of a task that the preamble repeats, in bytes. A script in the command would only distract.
const LONGEST_COMMAND: usize = 100;

/// Returns the command that runs an agent like the one of this run. A program that the task names has no name in the
/// configuration, so it is given again. A long one, and one with a secret, is left to the agent.
fn delegate(runner: &Runner, new: &NewRun<'_>) -> String {
    let job = "run-agent job";
    if new.command.is_empty() {
        return format!("{job} --agent {} --prompt \"…\"", new.agent);
    }
    let words = new.command.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
    // A backtick would end the code in the prompt.
    let repeats = words.len() <= LONGEST_COMMAND
        && !words.contains(['`', '\n'])
        && runner.redactor.commandline(new.command) == new.command;
    format!("{job} --prompt \"…\" -- {}", if repeats { &words } else { "PROGRAM ARGUMENTS" })
}

/// Quotes a word for a shell, where it needs that.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The line between the preamble and the prompt of the task.
const SEPARATOR: &str = "\n---\n\n";

/// Returns the whole text of an agent's prompt: a preamble about the run, messages and the end, then the task's prompt.
///
/// Every command that the preamble names works as it stands there.
fn compose(runner: &Runner, info: &RunInfo, delegate: &str, prompt: &str) -> String {
    let root = runner.tree.root();
    let run = info.run_ref();
    let task_dir = run.task.dir();
    let path = |rel: &RelPath| root.absolute(rel).display().to_string();
    let cwd = info.cwd.as_deref().unwrap_or(".");
    format!(
        "# Where you are\n\n\
         Conductor runs you unattended: no person answers questions on a terminal.\n\n\
         - project `{project}`, task `{task}`, run `{run}` (attempt {attempt})\n\
         - working folder: {cwd}\n\
         - task folder: {task_folder} ($JRUN_TASK_FOLDER)\n\
         - run folder: {run_folder} ($JRUN_RUN_FOLDER)\n\n\
         # How to end\n\n\
         - Write your answer, as Markdown, to {output}\n\
         - When the task is finished, and only then, create the empty file {done}\n\
         - Keep notes on your progress for the next attempt in {state}\n\n\
         # How to speak\n\n\
         People and other agents read the task's message bus. These need no further flags here:\n\n\
         - `run-agent bus post --type PROGRESS --body \"what you are doing\"`\n\
         - `run-agent bus post --type FACT --body \"what you found out\"`\n\
         - other types: DECISION, ERROR, QUESTION\n\
         - `run-agent bus read --tail 20` shows what others wrote\n\n\
         # How to delegate\n\n\
         - `{delegate}` runs an agent, in the folder where you call it, as a task of its own in this project, and prints its answer\n\
         {SEPARATOR}{prompt}",
        project = info.project_id,
        task = info.task_id,
        run = info.run_id,
        attempt = info.attempt,
        task_folder = path(task_dir.path()),
        run_folder = path(run.dir().path()),
        output = info.output_path,
        done = path(&task_dir.done()),
        state = path(&task_dir.state()),
    )
}
