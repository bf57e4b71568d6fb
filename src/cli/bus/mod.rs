//! `run-agent bus`: the message bus of a task or project, to post to and to read.

mod discover;
mod post;
mod read;
mod target;

use std::process::ExitCode;

use super::{context::Context, error::CliResult, print::Form};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent bus post --type FACT --body 'the build is green'
  run-agent bus read --follow")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Post a message and print its id
    Post(post::Args),
    /// Print the last messages
    Read(read::Args),
    /// Print the path of the bus that `post` uses, and the reason
    Discover(discover::Args),
}

impl Args {
    pub(super) fn form(&self) -> Form {
        match &self.verb {
            Verb::Post(args) => args.json.form(),
            Verb::Read(args) => args.json.form(),
            Verb::Discover(args) => args.json.form(),
        }
    }
}

/// Runs the subcommand.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    match &args.verb {
        Verb::Post(args) => post::run(args, context)?,
        Verb::Read(args) => read::run(args, context)?,
        Verb::Discover(args) => discover::run(args, context)?,
    }
    Ok(ExitCode::SUCCESS)
}
