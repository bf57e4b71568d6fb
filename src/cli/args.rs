//! The command line: the list of verbs, and the flags that each of them takes.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use super::{
    bundle, bus, chat_agent, completions, config, context::Context, demo_agent, diff, doctor, drive,
    error::CliResult, flags::GlobalFlags, fsck, gc, help, import, job, list, man, monitor, output,
    print::Form, replay, replay_agent, resume, self_check, serve, server, service, shell_setup, status, stop,
    task, ui, validate, version, watch, why, wrap,
};

use ::config::Flags;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "run-agent",
    version,
    about = "Run AI coding agents unattended; every project, task and run is a folder",
    propagate_version = true,
    disable_help_subcommand = true,
    help_template = help::template(&verbs()),
    after_help = help::AFTER
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: GlobalFlags,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Returns a command that contains only the verbs.
fn verbs() -> clap::Command {
    Command::augment_subcommands(clap::Command::new("run-agent"))
}

/// The verbs, in the order in which a user needs them; `help` groups them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an agent once and print its answer
    Job(Box<job::Args>),
    /// Run an agent in a loop until the task is done
    Task(Box<task::Args>),
    /// Work through a TODO list, one task per item
    Monitor(Box<monitor::Args>),
    /// Run an agent interactively in this terminal and record the run
    Wrap(wrap::Args),
    /// List tasks, or the runs of a task
    List(list::Args),
    /// Show the queued and live tasks and the daemon
    Status(status::Args),
    /// Explain why a task is in its current state
    Why(why::Args),
    /// Wait until tasks have ended
    Watch(watch::Args),
    /// Print the answer of a run, its log or its prompt
    Output(output::Args),
    /// Show the file changes of a run as a diff
    Diff(diff::Args),
    /// Post to a message bus or read it
    Bus(bus::Args),
    /// Stop a task and its child tasks
    Stop(stop::Args),
    /// Resume a task that has ended
    Resume(resume::Args),
    /// Continue tasks that have lost their driver
    Drive(drive::Args),
    /// Replay a recorded run with its original timing
    Replay(replay::Args),
    /// Pack a task into one file for a bug report, with secrets masked
    Bundle(bundle::Args),
    /// Remove old runs
    Gc(gc::Args),
    /// Check the tree for damage and repair it
    Fsck(fsck::Args),
    /// Import a tree of the original Conductor Loop
    Import(import::Args),
    /// Serve the HTTP API and the page, and drive every accepted task
    Serve(serve::Args),
    /// Open the page in a browser, signed in
    Ui(ui::Args),
    /// Control a daemon over HTTP, on this machine or another
    Server(Box<server::Args>),
    /// Install the daemon as a systemd user service
    Service(service::Args),
    /// Check which agents are installed and have credentials
    Validate(validate::Args),
    /// Check that this machine is set up to run agents
    Doctor(doctor::Args),
    /// Show the settings and the origin of each
    Config(config::Args),
    /// Record the agents that you start from your shell
    ShellSetup(shell_setup::Args),
    /// Print the shell completion script
    Completions(completions::Args),
    /// Print a manual page or write all of them
    Man(man::Args),
    /// Print the version
    Version(version::Args),
    /// Act as the built-in demo agent
    #[command(hide = true)]
    DemoAgent(demo_agent::Args),
    /// Act as an agent that calls a chat API
    #[command(hide = true)]
    ChatAgent(chat_agent::Args),
    /// Act as an agent that replays a recording
    #[command(hide = true)]
    ReplayAgent(replay_agent::Args),
    /// Check whether this program can replace a running daemon
    #[command(hide = true)]
    SelfCheck(self_check::Args),
}

/// Returns the flags of a daemon's command line, or `None` if the line is for another verb.
fn daemon_line(line: Vec<OsString>) -> Result<Option<(GlobalFlags, Flags)>, clap::Error> {
    let cli = Cli::try_parse_from(line)?;
    let serves = matches!(cli.command, Command::Serve(_));
    Ok(serves.then(|| (cli.global, cli.command.settings())))
}

impl Command {
    /// Runs the verb.
    ///
    /// # Errors
    /// Each with its exit code and hint.
    pub fn run(self, context: &Context) -> CliResult<ExitCode> {
        match self {
            Self::Serve(args) => serve::run(&args, context),
            Self::Job(args) => job::run(&args, context),
            Self::Task(args) => task::run(&args, context),
            Self::Monitor(args) => monitor::run(&args, context),
            Self::Wrap(args) => wrap::run(&args, context),
            Self::List(args) => list::run(&args, context),
            Self::Output(args) => output::run(&args, context),
            Self::Diff(args) => diff::run(&args, context),
            Self::Stop(args) => stop::run(&args, context),
            Self::Replay(args) => replay::run(&args, context),
            Self::Bundle(args) => bundle::run(&args, context),
            Self::Bus(args) => bus::run(&args, context),
            Self::Drive(args) => drive::run(&args, context),
            Self::Doctor(args) => doctor::run(&args, context),
            Self::Fsck(args) => fsck::run(&args, context),
            Self::Import(args) => import::run(&args, context),
            Self::Gc(args) => gc::run(&args, context),
            Self::Resume(args) => resume::run(&args, context),
            Self::Server(args) => server::run(&args, context),
            Self::Service(args) => service::run(&args, context),
            Self::Status(args) => status::run(&args, context),
            Self::Ui(args) => ui::run(&args, context),
            Self::Validate(args) => validate::run(&args, context),
            Self::Watch(args) => watch::run(&args, context),
            Self::Why(args) => why::run(&args, context),
            Self::DemoAgent(args) => demo_agent::run(&args, context),
            Self::ChatAgent(args) => chat_agent::run(&args, context),
            Self::ReplayAgent(args) => replay_agent::run(&args, context),
            Self::SelfCheck(args) => self_check::run(&args, daemon_line, context),
            Self::Config(args) => config::run(args, context),
            Self::ShellSetup(args) => shell_setup::run(&args, context),
            Self::Completions(args) => completions::run(&args, context),
            Self::Man(args) => man::run(&args, Cli::command(), context),
            Self::Version(args) => version::run(&args, context),
        }
    }

    /// The settings that the verb's flags override.
    #[must_use]
    pub fn settings(&self) -> Flags {
        match self {
            Self::Serve(args) => args.settings(),
            _ => Flags::default(),
        }
    }

    /// The log level without `--log`. A daemon logs more because its log is its only output.
    #[must_use]
    pub fn usual_log(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            _ => "warn",
        }
    }

    /// Returns the output form of the verb, which its errors use, too.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Self::Job(args) => args.form(),
            Self::Task(args) => args.form(),
            Self::List(args) => args.json.form(),
            Self::Diff(args) => args.json.form(),
            Self::Stop(args) => args.json.form(),
            Self::Doctor(args) => args.json.form(),
            Self::Fsck(args) => args.json.form(),
            Self::Replay(args) => args.json.form(),
            Self::Bundle(args) => args.json.form(),
            Self::Bus(args) => args.form(),
            Self::Import(args) => args.json.form(),
            Self::Monitor(args) => args.json.form(),
            Self::Gc(args) => args.json.form(),
            Self::Resume(args) => args.json.form(),
            Self::Server(args) => args.form(),
            Self::Status(args) => args.json.form(),
            Self::Validate(args) => args.json.form(),
            Self::Watch(args) => args.json.form(),
            Self::Why(args) => args.json.form(),
            Self::ChatAgent(_)
            | Self::Completions(_)
            | Self::ShellSetup(_)
            | Self::Wrap(_)
            | Self::Man(_)
            | Self::DemoAgent(_)
            | Self::ReplayAgent(_)
            | Self::SelfCheck(_)
            | Self::Service(_)
            | Self::Drive(_)
            | Self::Output(_)
            | Self::Ui(_)
            | Self::Serve(_) => Form::Text,
            Self::Config(args) => args.form(),
            Self::Version(args) => args.json.form(),
        }
    }
}
