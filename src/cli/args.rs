//! What may be written on the command line: the list of verbs.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};

use super::{
    bundle, bus, chat_agent, completions, config, context::Context, demo_agent, diff, doctor, drive,
    error::CliResult, flags::GlobalFlags, fsck, gc, import, job, list, man, monitor, output, print::Form,
    replay, replay_agent, resume, self_check, serve, server, service, shell_setup, status, stop, task, ui,
    validate, version, watch, why, wrap,
};

use crate::config::Flags;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "run-agent",
    version,
    about = "Runs AI coding agents unattended; every project, task and run is a folder",
    propagate_version = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: GlobalFlags,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the HTTP API and drive what is queued
    Serve(serve::Args),
    /// Run one agent once, and print its answer
    Job(Box<job::Args>),
    /// Run an agent again and again until the task is done
    Task(Box<task::Args>),
    /// Work through a list of things to do
    Monitor(Box<monitor::Args>),
    /// Run an agent at this terminal, recorded as a run
    Wrap(wrap::Args),
    /// List projects' tasks, or a task's runs
    List(list::Args),
    /// Print the answer of a run, or another of its files
    Output(output::Args),
    /// Show what a run changed in its work folder
    Diff(diff::Args),
    /// Stop a task and the tasks that it has started
    Stop(stop::Args),
    /// Play a recorded run again, with its own timing
    Replay(replay::Args),
    /// Pack a task into one file to give away, secrets masked
    Bundle(bundle::Args),
    /// Post to a message bus, and read it
    Bus(bus::Args),
    /// Go on with tasks whose driver has died
    Drive(drive::Args),
    /// Say whether this machine is a good place for agents
    Doctor(doctor::Args),
    /// Say what is wrong with the tree, and mend it
    Fsck(fsck::Args),
    /// Take in a tree of the original Conductor Loop
    Import(import::Args),
    /// Remove old runs
    Gc(gc::Args),
    /// Take up a task again that has ended
    Resume(resume::Args),
    /// Ask a daemon over HTTP, also one on another machine
    Server(Box<server::Args>),
    /// Let systemd run the daemon
    Service(service::Args),
    /// Show what is queued and live, and who drives it
    Status(status::Args),
    /// Open the page in a browser, and let it in
    Ui(ui::Args),
    /// Say which agents could be called, and what they lack
    Validate(validate::Args),
    /// Wait until tasks have ended
    Watch(watch::Args),
    /// Say why a task stands where it stands
    Why(why::Args),
    /// Work as the built-in demo agent
    #[command(hide = true)]
    DemoAgent(demo_agent::Args),
    /// Work as an agent that is an API
    #[command(hide = true)]
    ChatAgent(chat_agent::Args),
    /// Play a recording as the agent of a run
    #[command(hide = true)]
    ReplayAgent(replay_agent::Args),
    /// Say whether this program could take a daemon's place
    #[command(hide = true)]
    SelfCheck(self_check::Args),
    /// Put agents typed at a shell on the record
    ShellSetup(shell_setup::Args),
    /// Show the settings and where they come from
    Config(config::Args),
    /// Print what a shell needs to complete our command line
    Completions(completions::Args),
    /// Print a manual page, or write them all
    Man(man::Args),
    /// Print the version
    Version(version::Args),
}

/// The flags of a daemon's command line; `None`: it is that of something else.
fn daemon_line(line: Vec<OsString>) -> Result<Option<(GlobalFlags, Flags)>, clap::Error> {
    let cli = Cli::try_parse_from(line)?;
    let serves = matches!(cli.command, Command::Serve(_));
    Ok(serves.then(|| (cli.global, cli.command.settings())))
}

impl Command {
    /// Does what the verb says.
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

    /// The settings that flags of the verb beat.
    #[must_use]
    pub fn settings(&self) -> Flags {
        match self {
            Self::Serve(args) => args.settings(),
            _ => Flags::default(),
        }
    }

    /// What is logged unless `--log` says otherwise: a daemon has nobody else to tell.
    #[must_use]
    pub fn usual_log(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            _ => "warn",
        }
    }

    /// For whom the verb prints, its errors included.
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
