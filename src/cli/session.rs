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
use engine::{planner::Entry, runner::FIRST_MESSAGE};
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
    let entry = if args.no_wait { Entry::Queued } else { Entry::AtOnce };
    let accepted = TaskSpec::of(&args.flags, TaskKind::Session)?.accept_as(context, &runner, entry)?;
    let task = accepted.ticket.task();
    if args.json.form() == Form::Text {
        let run = accepted.ticket.run();
        let works_in = runner.tree.run_info(&run).ok().and_then(|info| info.cwd);
        let works_in = works_in.map(|cwd| format!("\n  works in {cwd}")).unwrap_or_default();
        let folder = runner.tree.root().absolute(task.dir().path());
        context.printer().word(&format!("session {task}{works_in}\n  recorded in {}", folder.display()))?;
    }
    let wait = if args.no_wait {
        // Whichever process drives the session takes the lock: a daemon, or `run-agent drive`.
        drop(accepted.lock);
        Wait::UntilTaken
    } else {
        Wait::UntilAnswered(Some(Box::new(accepted)))
    };
    turn::attend(context, &runner, &task, FIRST_MESSAGE, wait, args.json.form())
}
