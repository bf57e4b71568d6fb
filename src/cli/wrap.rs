//! `run-agent wrap`: runs an agent at this terminal and records the run.

use std::{collections::BTreeMap, process::ExitCode};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    submission::{NewProject, PlaceFlags, TaskSpec, calling_run},
};
use engine::runner::{self, Runner, RunnerError};
use process::command::CommandSpec;
use tree::{
    ids::{ProjectId, TaskId},
    task::TaskKind,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The agent gets this terminal. wrap records start, end, exit code and the changes in the working folder. It does not record \
the conversation: the agent keeps that itself (~/.claude/projects, ~/.codex/sessions, ~/.gemini). Background processes of \
the agent stay when it ends; `run-agent stop` ends them. If recording fails, the agent runs all the same.

Exit code: the exit code of the agent.

Examples:
  run-agent wrap --agent claude
  run-agent wrap --agent codex -- --model gpt-5.5
  run-agent diff --stat my-project/my-session")]
pub struct Args {
    /// Agent to run
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// Project to put the task in [default: $JRUN_PROJECT_ID, else the project of the working folder]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Id of the new task [default: task-<date>-<time>-<agent>]
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Arguments for the agent
    #[arg(last = true, value_name = "ARGS")]
    words: Vec<String>,
}

/// Runs the agent.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let session = match begin(args, context)? {
        RecordingStart::Session(session) => session,
        RecordingStart::Unrecorded(why, command) => {
            context.printer().word(&format!("not recorded: {}", why.chain()))?;
            return unrecorded(context, &command);
        }
    };
    let (code, recorded) = session.wait();
    if let Err(e) = recorded {
        context.printer().word(&format!("the end is not recorded: {}", CliError::from(e).chain()))?;
    }
    Ok(ExitCode::from(code))
}

/// The result of the attempt to record.
enum RecordingStart {
    Session(Box<runner::Session>),
    Unrecorded(CliError, Vec<String>),
}

fn begin(args: &Args, context: &Context) -> CliResult<RecordingStart> {
    let cwd = context.cwd()?;
    let runner = match context.runner() {
        Ok(runner) => runner,
        // An invalid configuration or a full disk must not keep the user from starting the agent.
        Err(e) => return Ok(RecordingStart::Unrecorded(e, as_written(args, context))),
    };
    let command = runner::command_of(&runner, &args.agent, &args.words, &cwd)?;
    must_not_be_too_deep(context, &runner)?;
    match session(args, context, &runner, &command) {
        Ok(session) => Ok(RecordingStart::Session(Box::new(session))),
        Err(e) if e.kind() == Kind::Usage || e.kind() == Kind::Conflict => Err(e),
        Err(e) => Ok(RecordingStart::Unrecorded(e, command)),
    }
}

/// Refuses an agent that starts itself without end. Any other problem of its parent costs the record, not the agent.
fn must_not_be_too_deep(context: &Context, runner: &Runner) -> CliResult<()> {
    let Some(parent) = calling_run(context, &runner.tree)? else { return Ok(()) };
    match runner::check_parent(&runner.tree, &parent) {
        Err(e @ RunnerError::TooDeep { .. }) => Err(e.into()),
        _ => Ok(()),
    }
}

fn session(
    args: &Args,
    context: &Context,
    runner: &Runner,
    command: &[String],
) -> CliResult<runner::Session> {
    let place = PlaceFlags {
        project: args.project.clone(),
        agent: Some(args.agent.clone()),
        ..PlaceFlags::default()
    };
    let words = runner.redactor.commandline(&args.words).join(" ");
    let wanted = TaskSpec {
        place: &place,
        kind: TaskKind::Job,
        task: args.task.clone(),
        prompt: Some(format!("{} {words}", args.agent).trim().to_owned()),
        command,
        depends_on: Vec::new(),
        config: BTreeMap::new(),
        new_project: NewProject::Here,
    };
    wanted.by_free_name(context, runner, |submission| {
        runner::begin_session(runner, submission).map_err(CliError::from)
    })
}

/// Returns the agent's command, as far as it is known without a tree.
fn as_written(args: &Args, context: &Context) -> Vec<String> {
    let configured = context.config().ok().and_then(|config| config.agents.get(&args.agent));
    let mut words = configured.map(|agent| agent.command.clone()).unwrap_or_default();
    if words.is_empty() && configured.is_none_or(|agent| !agent.agent_type.is_any_program()) {
        words.push(args.agent.clone());
    }
    words.extend(args.words.iter().cloned());
    words
}

/// Becomes the agent, without a recording.
fn unrecorded(context: &Context, command: &[String]) -> CliResult<ExitCode> {
    let (program, args) =
        command.split_first().ok_or_else(|| CliError::new(Kind::Usage, "there is no command to run"))?;
    let environment = context.environment().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = CommandSpec {
        program: program.into(),
        args: args.iter().map(Into::into).collect(),
        env: environment.collect(),
        cwd: None,
    };
    Err(CliError::caused(Kind::ProgramMissing, format!("cannot run {program}"), spec.become_it()))
}
