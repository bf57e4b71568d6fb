//! `run-agent server`: the same verbs over HTTP, for a daemon that may be on another machine.
//!
//! The daemon is found by `_daemon/daemon.yaml` of the root unless `--server` names it. A refusal by the daemon ends
//! with the exit code that the same refusal has locally.

mod bus;
mod client;
mod folder;
mod job;
mod names;
mod project;
mod status;
mod task;
mod unix;
mod update;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

use super::{context::Context, error::CliResult, flags::JsonFlag, print::Form};
use client::Call;
pub(super) use client::Client;
pub use client::ServerFlags;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent server status
  run-agent server job submit --project p --prompt 'Make the tests pass' --agent claude --follow
  run-agent server task list --project p --json")]
pub struct Args {
    #[command(flatten)]
    flags: ServerFlags,
    #[command(flatten)]
    json: EveryJson,
    #[command(subcommand)]
    verb: Verb,
}

/// The `--json` flag of every verb below.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
struct EveryJson {
    /// Print JSON, including errors
    #[arg(long, global = true)]
    json: bool,
}

/// Verbs of a remote daemon.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the daemon's version and its queued and running tasks
    #[command(after_help = "Examples:
  run-agent server status
  run-agent server status --server http://127.0.0.1:14355 --json")]
    Status,
    /// List, show, stop, resume or delete tasks
    #[command(subcommand)]
    Task(task::Verb),
    /// Submit one task or a file of tasks
    #[command(subcommand)]
    Job(job::Verb),
    /// List, measure, clean up or delete projects
    #[command(subcommand)]
    Project(project::Verb),
    /// Read a message bus or post to it
    #[command(subcommand)]
    Bus(bus::Verb),
    /// Replace the program of the running daemon
    #[command(subcommand)]
    Update(update::Verb),
    /// Wait until tasks have ended
    Watch(watch::Args),
}

impl Args {
    pub(super) fn form(&self) -> Form {
        JsonFlag { json: self.json.json }.form()
    }
}

/// Runs the verb.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let call = Call { client: Client::new(&args.flags, context)?, context, form: args.form() };
    match &args.verb {
        Verb::Status => status::run(&call),
        Verb::Task(verb) => task::run(verb, &call),
        Verb::Job(verb) => job::run(verb, &call),
        Verb::Project(verb) => project::run(verb, &call),
        Verb::Bus(verb) => bus::run(verb, &call),
        Verb::Update(verb) => update::run(verb, &call),
        Verb::Watch(args) => watch::run(args, &call),
    }
}
