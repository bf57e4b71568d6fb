//! `run-agent job`: one run of one agent, from acceptance to its answer, with or without a daemon.

use std::{io::Read, path::PathBuf, process::ExitCode};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    interrupt::{Interrupts, Wish},
    log_follower::LogFollower,
    print::Form,
};
use crate::{
    daemon, fsx,
    runner::{self, Begin, LoopEnd, Runner, Submission},
    tree::{
        format::MAX_RECORD,
        ids::{ProjectId, RunId, TaskId},
        refs::{RunRef, TaskRef},
        run_info::{RunInfo, RunStatus},
        task::TaskKind,
    },
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent job --prompt 'What does this source tree consist of?' --follow
  run-agent job --agent command --prompt-file task.md -- ./my-agent --fast
  git diff | run-agent job --prompt-file -")]
pub struct Args {
    /// Project [default: $JRUN_PROJECT_ID, else named after the working folder]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Task [default: task-<date>-<time>-<first words of the prompt>]
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Agent [default: `defaults.agent` of the configuration]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// What is to be done
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "prompt_file",
        conflicts_with = "prompt_file"
    )]
    prompt: Option<String>,
    /// File with what is to be done; - is standard input
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Working folder of the agent [default: the project's]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Longest time without output, such as 10m
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Longest time at all
    #[arg(long, value_name = "TIME")]
    max_run_time: Option<String>,
    /// The run that asks for this one [default: $JRUN_ID]
    #[arg(long, value_name = "RUN")]
    parent_run_id: Option<RunId>,
    /// Show what the agent prints while it prints it, on stderr
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
    /// Program and arguments, for the agent `command`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What a job came to.
#[derive(Debug, Serialize)]
struct JobResult<'a> {
    project_id: &'a ProjectId,
    task_id: &'a TaskId,
    run_id: &'a RunId,
    status: RunStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_summary: Option<&'a str>,
    output: &'a str,
    run_folder: String,
}

/// Runs the job.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let submission = submission(args, context, &runner)?;
    let accepted = accept(&runner, submission, args.task.is_none())?;
    let run = accepted.ticket.run();
    let folder = runner.tree.root().absolute(run.dir().path());
    context.printer().word(&format!("{run}\n  in {}", folder.display()))?;
    let runtime = context.runtime()?;
    let end = runtime.block_on(watch_to_the_end(args, context, &runner, accepted))?;
    match end {
        LoopEnd::Ended { info, .. } => answer(args, context, &runner, &run, &info),
        LoopEnd::Detached => Err(CliError::new(Kind::Interrupted, "left while the agent runs").with_hint(
            format!("`run-agent drive {}` goes on, `run-agent stop {}` ends it", run.task, run.task),
        )),
    }
}

async fn watch_to_the_end(
    args: &Args,
    context: &Context,
    runner: &Runner,
    accepted: runner::Accepted,
) -> CliResult<LoopEnd> {
    let hints = context.hints(&runner.tree)?;
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let task = accepted.ticket.task();
    let run = accepted.ticket.run();
    let mut follower = args.follow.then(|| LogFollower::new(&runner.tree, &run));
    let mut waiter = hints.waiter();
    let ticket = (accepted.ticket_id, accepted.ticket);
    let drive = daemon::drive_ticket(runner, accepted.lock, ticket, Begin::Fresh, &hints, &detach);
    tokio::pin!(drive);
    loop {
        tokio::select! {
            end = &mut drive => {
                if let Some(follower) = &mut follower {
                    follower.print(*context.printer())?;
                }
                return Ok(end?);
            }
            wish = interrupts.next() => act(wish, context, runner, &task, &detach)?,
            () = waiter.next(), if follower.is_some() => {
                if let Some(follower) = &mut follower {
                    follower.print(*context.printer())?;
                }
            }
        }
    }
}

/// Ctrl-C stops the task; a second one, or the end of the terminal, leaves it running.
pub(super) fn act(
    wish: Wish,
    context: &Context,
    runner: &Runner,
    task: &TaskRef,
    detach: &CancellationToken,
) -> CliResult<()> {
    match wish {
        Wish::Stop => {
            runner::request_stop(&runner.tree, task)?;
            context.printer().word("stopping; press Ctrl-C again to leave it to itself")
        }
        Wish::Leave => {
            detach.cancel();
            Ok(())
        }
    }
}

fn submission(args: &Args, context: &Context, runner: &Runner) -> CliResult<Submission> {
    let environment = context.environment();
    let here = context.cwd()?;
    let from_env = |name: &str| environment.get(name);
    let project = match (&args.project, from_env("JRUN_PROJECT_ID")) {
        (Some(project), _) => project.clone(),
        (None, Some(id)) => id.parse()?,
        (None, None) => named_after(&here)?,
    };
    let parent_run_id = match (&args.parent_run_id, from_env("JRUN_ID")) {
        (Some(run), _) => Some(run.clone()),
        (None, Some(id)) => Some(id.parse()?),
        (None, None) => None,
    };
    let prompt = prompt(args)?;
    let task = args.task.clone().unwrap_or_else(|| TaskId::generate(context.clock().now(), &prompt));
    let agent = match &args.agent {
        Some(agent) => agent.clone(),
        None if args.command.is_empty() => runner.config.defaults.agent.clone(),
        None => "command".to_owned(),
    };
    let mut config = std::collections::BTreeMap::new();
    for (key, value) in [("timeout", &args.timeout), ("max_run_time", &args.max_run_time)] {
        if let Some(value) = value {
            config.insert(key.to_owned(), value.clone().into());
        }
    }
    // A project's home is outside the tree: agents that work in it must not meet our files.
    let project_root = (!here.starts_with(runner.tree.root().path())).then(|| here.clone());
    Ok(Submission {
        task: TaskRef { project, task },
        kind: TaskKind::Job,
        agent,
        prompt,
        cwd: args.cwd.as_ref().map(|dir| here.join(dir)),
        command: args.command.clone(),
        config,
        depends_on: Vec::new(),
        parent_run_id,
        project_root,
    })
}

fn named_after(folder: &std::path::Path) -> CliResult<ProjectId> {
    folder.file_name().and_then(|n| ProjectId::from_name(&n.to_string_lossy())).ok_or_else(|| {
        CliError::new(Kind::Usage, format!("cannot name a project after {}", folder.display()))
            .with_hint("name one with --project")
    })
}

fn prompt(args: &Args) -> CliResult<String> {
    let bytes = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => return Ok(text.clone()),
        (None, Some(file)) if file.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_RECORD).read_to_end(&mut bytes).map_err(|e| {
                CliError::caused(Kind::Failed, "cannot read the prompt from standard input", e)
            })?;
            bytes
        }
        (None, Some(file)) => fsx::read_outside(file, MAX_RECORD)
            .map_err(|e| CliError::caused(Kind::NotFound, "cannot read the prompt", e))?,
        (None, None) => Vec::new(),
    };
    String::from_utf8(bytes).map_err(|_| CliError::new(Kind::Refused, "the prompt is not UTF-8 text"))
}

/// Accepts the task; a name that we made up gives way to one that is taken.
fn accept(runner: &Runner, mut submission: Submission, made_up: bool) -> CliResult<runner::Accepted> {
    let first = submission.task.task.clone();
    let mut n = 1;
    loop {
        let accepted = runner::accept(runner, &submission).map_err(CliError::from);
        match accepted {
            Err(e) if made_up && e.kind() == Kind::Conflict && n < 100 => {
                n += 1;
                submission.task.task = first.numbered(n);
            }
            result => return result,
        }
    }
}

fn answer(
    args: &Args,
    context: &Context,
    runner: &Runner,
    run: &RunRef,
    info: &RunInfo,
) -> CliResult<ExitCode> {
    let root = runner.tree.root();
    let output = root
        .read_opt(&run.dir().output(), 64 << 20)
        .map_err(crate::tree::TreeError::from)?
        .unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&JobResult {
            project_id: &info.project_id,
            task_id: &info.task_id,
            run_id: &info.run_id,
            status: info.status,
            exit_code: info.exit_code,
            signal: info.signal,
            error_summary: info.error_summary.as_deref(),
            output: &output,
            run_folder: root.absolute(run.dir().path()).display().to_string(),
        })?;
    } else {
        printer.bytes(output.as_bytes())?;
        if !output.ends_with('\n') {
            printer.bytes(b"\n")?;
        }
        let summary = info.error_summary.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
        printer.word(&format!("run {} {}{summary}", info.run_id, info.status.as_str()))?;
    }
    Ok(match info.status {
        RunStatus::Completed => ExitCode::SUCCESS,
        RunStatus::Stopped => ExitCode::from(Kind::Interrupted.code()),
        _ => ExitCode::from(Kind::Failed.code()),
    })
}
