//! `run-agent self-check`, hidden: answers the questions of a daemon before this program replaces that daemon.

use std::{ffi::OsString, process::ExitCode};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::GlobalFlags,
};
use config::Flags;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Command line of the daemon
    #[arg(last = true)]
    daemon: Vec<OsString>,
}

/// The result of parsing a command line: the flags of a daemon's, or `None` if the line is for another verb.
type ParsedLine = Result<Option<(GlobalFlags, Flags)>, clap::Error>;

/// Parses the daemon's command line, its settings and its tree, and reports the result. Changes nothing.
pub(super) fn run(
    args: &Args,
    understand: impl Fn(Vec<OsString>) -> ParsedLine,
    context: &Context,
) -> CliResult<ExitCode> {
    let line = std::iter::once(OsString::from("run-agent")).chain(args.daemon.iter().cloned());
    let understood = understand(line.collect())
        .map_err(|e| CliError::caused(Kind::Usage, "the daemon's command line is invalid", e))?;
    let Some((global, settings)) = understood else {
        return Err(CliError::new(Kind::Usage, "this is not the command line of a daemon"));
    };
    let daemon = context.of(global, settings);
    let report = daemon::report(&daemon.existing_tree()?)?;
    context.printer().json(&report)?;
    Ok(ExitCode::SUCCESS)
}
