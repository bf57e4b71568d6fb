//! What may be written on the command line: the list of verbs.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{
    config, context::Context, demo_agent, error::CliResult, flags::GlobalFlags, job, print::Form, version,
};

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
    /// Run one agent once, and print its answer
    Job(Box<job::Args>),
    /// Work as the built-in demo agent
    #[command(hide = true)]
    DemoAgent(demo_agent::Args),
    /// Show the settings and where they come from
    Config(config::Args),
    /// Print the version
    Version(version::Args),
}

impl Command {
    /// Does what the verb says.
    ///
    /// # Errors
    /// Each with its exit code and hint.
    pub fn run(self, context: &Context) -> CliResult<ExitCode> {
        match self {
            Self::Job(args) => job::run(&args, context),
            Self::DemoAgent(args) => demo_agent::run(&args, context),
            Self::Config(args) => config::run(args, context),
            Self::Version(args) => version::run(&args, context),
        }
    }

    /// For whom the verb prints, its errors included.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Self::Job(args) => args.json.form(),
            Self::DemoAgent(_) => Form::Text,
            Self::Config(args) => args.form(),
            Self::Version(args) => args.json.form(),
        }
    }
}
