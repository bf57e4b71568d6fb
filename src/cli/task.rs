//! `run-agent task`: drives a task that is restarted until it is DONE, and changes existing tasks.

use std::{process::ExitCode, time::Duration};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    amount,
    attend::{self, Show},
    confirm::{Consent, YesFlag},
    context::{Context, MissingRoot},
    error::{CliError, CliResult, Kind},
    flags::{JsonFlag, duration_text},
    print::Form,
    reference::References,
    resume, stop,
    submission::{SubmissionFlags, TaskSpec},
};
use base::words::count;
use engine::runner::{self, Runner};
use tree::{
    ids::{ProjectId, TaskId},
    refs::TaskRef,
    task::TaskKind,
};

/// Maximum time that `delete --force` waits for the task to stop.
const STOPS_WITHIN: Duration = Duration::from_mins(1);

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
--config-key takes model, executor, env.NAME, and the keys that `run-agent config show` lists below `defaults` and \
`limits`.

Without a prompt, --task names a task that has only the TASK.md which you have written in its folder.

Examples:
  run-agent task --prompt 'Make the tests pass' --max-restarts 5
  run-agent task --task deploy --depends-on build,test --prompt-file deploy.md
  run-agent task --task deploy
  run-agent task resume my-project/my-task"
)]
pub struct Args {
    #[command(flatten)]
    flags: SubmissionFlags,
    /// Tasks of the same project that must complete first, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    depends_on: Vec<TaskId>,
    /// Restart the agent at most this many times
    #[arg(long, value_name = "N")]
    max_restarts: Option<u32>,
    /// Pause before each restart, such as 10s
    #[arg(long, value_name = "TIME", value_parser = duration_text)]
    restart_delay: Option<String>,
    /// Wait at most this long for child tasks after DONE, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration_text)]
    child_wait_timeout: Option<String>,
    #[command(flatten)]
    json: JsonFlag,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Verbs below `task`.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Resume a task that has ended
    #[command(after_help = "Examples:
  run-agent task resume my-project/my-task
  run-agent task resume my-task --no-wait")]
    Resume(resume::Args),
    /// Delete a task with all its runs and answers
    Delete(DeleteArgs),
    /// Stop a task and its child tasks
    #[command(after_help = "Examples:
  run-agent task cancel my-project/my-task
  run-agent task cancel my-task --no-wait")]
    Cancel(stop::Args),
}

/// Flags of `task delete`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
delete asks first. Where there is no terminal to ask on it needs --yes. With --project and --task, the spelling of Conductor \
Loop, it asks on a terminal only.

Examples:
  run-agent task delete my-project/my-task
  run-agent task delete my-task --force --yes
  run-agent task delete --project my-project --task my-task")]
struct DeleteArgs {
    /// PROJECT/TASK, or a task id alone
    #[arg(value_name = "NAME", required_unless_present = "task", conflicts_with_all = ["project", "task"])]
    name: Option<String>,
    /// Project of --task
    #[arg(long, value_name = "ID", requires = "task")]
    project: Option<ProjectId>,
    /// Task to delete, in the project of --project
    #[arg(long, value_name = "ID", requires = "project")]
    task: Option<TaskId>,
    /// Stop the task first if it is live
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    yes: YesFlag,
    #[command(flatten)]
    json: JsonFlag,
}

impl Args {
    /// The treatment of a root that does not exist: only a new task creates it.
    pub(super) fn missing_root(&self) -> MissingRoot {
        if self.command.is_none() { MissingRoot::Created } else { MissingRoot::Refused }
    }

    /// The output form of the verb.
    pub(super) fn form(&self) -> Form {
        match &self.command {
            Some(Command::Resume(args)) => args.json.form(),
            Some(Command::Delete(args)) => args.json.form(),
            Some(Command::Cancel(args)) => args.json.form(),
            None => self.json.form(),
        }
    }
}

/// Runs the loop, or the subcommand.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    match &args.command {
        Some(Command::Resume(args)) => resume::run(args, context),
        Some(Command::Delete(args)) => delete(args, context),
        Some(Command::Cancel(args)) => stop::run(args, context),
        None => begin(args, context),
    }
}

fn begin(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let mut wanted = TaskSpec::of(&args.flags, TaskKind::Task)?;
    wanted.depends_on.clone_from(&args.depends_on);
    let settings = [
        ("max_restarts", args.max_restarts.map(Value::from)),
        ("restart_delay", args.restart_delay.clone().map(Value::from)),
        ("child_wait_timeout", args.child_wait_timeout.clone().map(Value::from)),
    ];
    wanted.config.extend(settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    let accepted = wanted.accept(context, &runner)?;
    attend::attend(context, &runner, accepted, Show::of(args.flags.place.follow), args.json.form())
}

fn delete(args: &DeleteArgs, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let whole =
        args.project.as_ref().zip(args.task.as_ref()).map(|(project, task)| format!("{project}/{task}"));
    let task = References::of(context, &runner.tree).task(whole.as_deref().or(args.name.as_deref()))?;
    let form = args.json.form();
    if whole.is_none() {
        args.yes.required(form)?;
    }
    if args.yes.asks(form) {
        let runs = count(runner.tree.runs(&task)?.len() as u64, "run");
        let size = amount::size(runner::size(&runner.tree, task.dir().path())?);
        let question = format!("Delete task {task} with {runs} and all answers, {size}?");
        if args.yes.ask(context, form, &question)? == Consent::Refused {
            return Ok(ExitCode::from(Kind::Failed.code()));
        }
    }
    if args.force && runner.tree.ticket_of(&task)?.is_some() {
        runner::request_stop(&runner.tree, &task)?;
        context.runtime()?.block_on(stopped(context, &runner, &task))?;
    }
    runner::delete(&runner, &task).map_err(|e| {
        let error = CliError::from(e);
        let live = error.kind() == Kind::Conflict;
        if live { error.with_hint("stop it first, or delete it with --force") } else { error }
    })?;
    if form == Form::Json {
        context.printer().json(&serde_json::json!({ "deleted": task.to_string() }))?;
    } else {
        context.printer().word(&format!("deleted: {task}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn stopped(context: &Context, runner: &Runner, task: &TaskRef) -> CliResult<()> {
    let hints = context.hints(&runner.tree)?;
    let detach = CancellationToken::new();
    let ended = attend::until_ended(runner, task, "run-agent task delete", &hints, &detach);
    match tokio::time::timeout(STOPS_WITHIN, ended).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(CliError::new(Kind::TimedOut, "the task has not ended yet; it was asked to stop")
            .with_hint("try again when it has")),
    }
}
