//! `run-agent session`: sessions, which are tasks that people talk to.

use std::process::ExitCode;

use super::{
    context::Context,
    error::CliResult,
    flags::JsonFlag,
    print::Form,
    submission::{SubmissionFlags, TaskSpec},
    turn::{self, Wait},
};
use engine::runner::FIRST_MESSAGE;
use tree::task::TaskKind;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent session new --agent claude --prompt 'What does this source tree consist of?'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// Verbs below `session`.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start a session with a first message, and print the answer
    #[command(after_help = "\
The agent asks for what its settings do not allow: `permissions: ask` in the configuration. `run-agent approvals` lists \
the open requests.

Examples:
  run-agent session new --agent claude --prompt 'What does this source tree consist of?'
  run-agent session new --agent claude --task review --prompt-file review.md --no-wait
  run-agent send review 'Now the tests, please'")]
    New(NewArgs),
}

/// Flags of `session new`.
#[derive(Debug, clap::Args)]
struct NewArgs {
    #[command(flatten)]
    flags: SubmissionFlags,
    /// Return at once; a daemon or `run-agent drive` runs the session
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    json: JsonFlag,
}

impl Args {
    /// The output form of the verb.
    pub(super) fn form(&self) -> Form {
        match &self.command {
            Command::New(args) => args.json.form(),
        }
    }
}

/// Runs the subcommand.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    match &args.command {
        Command::New(args) => new(args, context),
    }
}

fn new(args: &NewArgs, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let accepted = TaskSpec::of(&args.flags, TaskKind::Session)?.accept(context, &runner)?;
    let task = accepted.ticket.task();
    // Whichever process drives the session takes the lock: a daemon, or this one.
    drop(accepted.lock);
    if args.json.form() == Form::Text {
        context.printer().word(&format!("session {task}"))?;
    }
    let wait = if args.no_wait { Wait::UntilTaken } else { Wait::UntilAnswered };
    turn::attend(context, &runner, &task, FIRST_MESSAGE, wait, args.json.form())
}
