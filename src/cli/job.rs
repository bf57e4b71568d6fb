//! `run-agent job`: runs one agent once, from acceptance to its answer, with or without a daemon.

use std::process::ExitCode;

use super::{
    attend::{self, Show},
    batch,
    context::Context,
    error::CliResult,
    flags::JsonFlag,
    print::Form,
    submission::{SubmissionFlags, TaskSpec},
};
use tree::task::TaskKind;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
--config-key takes model, executor, env.NAME, and the keys that `run-agent config show` lists below `defaults` and \
`limits`.

Examples:
  run-agent job --prompt 'What does this source tree consist of?' --follow
  run-agent job --agent command --prompt-file task.md -- ./my-agent --fast
  git diff | run-agent job --prompt-file -
  run-agent job batch --file jobs.jsonl --continue-on-fail"
)]
pub struct Args {
    #[command(flatten)]
    flags: SubmissionFlags,
    #[command(flatten)]
    json: JsonFlag,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Verbs below `job`.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run several jobs one after another
    Batch(Box<batch::Args>),
}

impl Args {
    /// The output form of the verb.
    pub(super) fn form(&self) -> Form {
        match &self.command {
            Some(Command::Batch(args)) => args.json.form(),
            None => self.json.form(),
        }
    }
}

/// Runs the job.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    if let Some(Command::Batch(batch)) = &args.command {
        return batch::run(batch, context);
    }
    let runner = context.runner()?;
    let accepted = TaskSpec::of(&args.flags, TaskKind::Job)?.accept(context, &runner)?;
    attend::attend(context, &runner, accepted, Show::of(args.flags.place.follow), args.json.form())
}
