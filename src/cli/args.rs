//! The command line: the list of verbs, and the flags that each of them takes.

use std::{ffi::OsString, ops::Deref, process::ExitCode};

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{
    approval, bundle, bus, chat_agent, completions, config,
    context::{Context, MissingRoot},
    demo_agent, diff, doctor, drive,
    error::CliResult,
    flags::GlobalFlags,
    fsck, gc, help, import, job, list, man, monitor, output,
    print::Form,
    replay, replay_agent, resume, self_check, send, serve, server, service, session, shell_setup, status,
    stop, task, ui, validate, version, watch, why, wrap,
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

/// The flags of a verb, which are declared when the verb is parsed: a command line names one verb, and declaring the flags
/// of all would take longer than many a verb itself. Help and completions build the whole command and see all flags.
#[derive(Debug)]
pub struct Deferred<T>(Box<T>);

impl<T: clap::Args> clap::Args for Deferred<T> {
    fn augment_args(verb: clap::Command) -> clap::Command {
        verb.defer(|verb| {
            // The line about the verb stands at its variant and counts more than that of its flags.
            let about = verb.get_about().cloned().unwrap_or_default();
            T::augment_args(verb).about(about)
        })
    }

    fn augment_args_for_update(verb: clap::Command) -> clap::Command {
        T::augment_args_for_update(verb)
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(|args| Self(Box::new(args)))
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches_mut(matches).map(|args| Self(Box::new(args)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Returns a command that contains only the verbs.
fn verbs() -> clap::Command {
    Command::augment_subcommands(clap::Command::new("run-agent"))
}

/// The verbs, in the order in which a user needs them; `help` groups them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an agent once and print its answer
    Job(Deferred<job::Args>),
    /// Run an agent in a loop until the task is done
    Task(Deferred<task::Args>),
    /// Work through a TODO list, one task per item
    Monitor(Deferred<monitor::Args>),
    /// Run an agent interactively in this terminal and record the run
    Wrap(Deferred<wrap::Args>),
    /// Start a session, which is a task that you can talk to
    Session(Deferred<session::Args>),
    /// Send a message to a session
    Send(Deferred<send::Args>),
    /// List what the agents of sessions ask for
    Approvals(Deferred<approval::ListArgs>),
    /// Approve a request of an agent
    Approve(Deferred<approval::ApproveArgs>),
    /// Deny a request of an agent
    Deny(Deferred<approval::DenyArgs>),
    /// List tasks, or the runs of a task
    List(Deferred<list::Args>),
    /// Show the queued and live tasks and the daemon
    Status(Deferred<status::Args>),
    /// Explain why a task is in its current state
    Why(Deferred<why::Args>),
    /// Wait until tasks have ended
    Watch(Deferred<watch::Args>),
    /// Print the answer of a run, its log or its prompt
    Output(Deferred<output::Args>),
    /// Show the file changes of a run as a diff
    Diff(Deferred<diff::Args>),
    /// Post to a message bus or read it
    Bus(Deferred<bus::Args>),
    /// Stop a task and its child tasks
    Stop(Deferred<stop::Args>),
    /// Resume a task that has ended
    Resume(Deferred<resume::Args>),
    /// Continue tasks that have lost their driver
    Drive(Deferred<drive::Args>),
    /// Replay a recorded run with its original timing
    Replay(Deferred<replay::Args>),
    /// Pack a task into one file for a bug report, with secrets masked
    Bundle(Deferred<bundle::Args>),
    /// Remove old runs
    Gc(Deferred<gc::Args>),
    /// Check the tree for damage and repair it
    Fsck(Deferred<fsck::Args>),
    /// Import a tree of the original Conductor Loop
    Import(Deferred<import::Args>),
    /// Serve the HTTP API and the page, and drive every accepted task
    Serve(Deferred<serve::Args>),
    /// Open the page in a browser, signed in
    Ui(Deferred<ui::Args>),
    /// Control a daemon over HTTP, on this machine or another
    Server(Deferred<server::Args>),
    /// Install the daemon as a systemd user service
    Service(Deferred<service::Args>),
    /// Check which agents are installed and have credentials
    Validate(Deferred<validate::Args>),
    /// Check that this machine is set up to run agents
    Doctor(Deferred<doctor::Args>),
    /// Show the settings and the origin of each
    Config(Deferred<config::Args>),
    /// Record the agents that you start from your shell
    ShellSetup(Deferred<shell_setup::Args>),
    /// Print the shell completion script
    Completions(Deferred<completions::Args>),
    /// Print a manual page or write all of them
    Man(Deferred<man::Args>),
    /// Print the version
    Version(Deferred<version::Args>),
    /// Act as the built-in demo agent
    #[command(hide = true)]
    DemoAgent(Deferred<demo_agent::Args>),
    /// Act as an agent that calls a chat API
    #[command(hide = true)]
    ChatAgent(Deferred<chat_agent::Args>),
    /// Act as an agent that replays a recording
    #[command(hide = true)]
    ReplayAgent(Deferred<replay_agent::Args>),
    /// Check whether this program can replace a running daemon
    #[command(hide = true)]
    SelfCheck(Deferred<self_check::Args>),
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
            Self::Session(args) => session::run(&args, context),
            Self::Send(args) => send::run(&args, context),
            Self::Approvals(args) => approval::list(&args, context),
            Self::Approve(args) => approval::approve(&args, context),
            Self::Deny(args) => approval::deny(&args, context),
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
            Self::Config(args) => config::run(*args.0, context),
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

    /// The treatment of a root that does not exist.
    #[must_use]
    pub fn missing_root(&self) -> MissingRoot {
        match self {
            Self::Job(_)
            | Self::Session(_)
            | Self::Monitor(_)
            | Self::Wrap(_)
            | Self::Replay(_)
            | Self::Import(_)
            | Self::Serve(_)
            | Self::Ui(_)
            | Self::Validate(_)
            | Self::Doctor(_) => MissingRoot::Created,
            Self::Task(args) => args.missing_root(),
            _ => MissingRoot::Refused,
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
            Self::Session(args) => args.form(),
            Self::Send(args) => args.json.form(),
            Self::Approvals(args) => args.json.form(),
            Self::Approve(args) => args.json.form(),
            Self::Deny(args) => args.json.form(),
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
