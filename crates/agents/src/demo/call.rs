//! Calls `run-agent`, found in PATH, to post messages and to delegate, as the preamble explains.

use std::{ffi::OsString, io};

use config::Environment;
use process::command::CommandSpec;

/// The failure of a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no such program, or it cannot be run.
    #[error("cannot run run-agent, which should be in PATH")]
    NotStarted(#[source] io::Error),
    /// It ran and failed.
    #[error("run-agent {verb} failed ({status}): {said}")]
    Refused {
        /// The verb.
        verb: String,
        /// The exit status.
        status: std::process::ExitStatus,
        /// The first line of its stderr: the error, after which hints follow.
        said: String,
    },
}

/// Runs `run-agent VERB ARGS` to its end and returns its output.
///
/// # Errors
/// If `run-agent` does not exist or fails.
pub fn call<A: Into<OsString>>(
    environment: &Environment,
    verb: &str,
    args: impl IntoIterator<Item = A>,
) -> Result<String, CallError> {
    let args = verb.split(' ').map(OsString::from).chain(args.into_iter().map(Into::into)).collect();
    let env = environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let command = CommandSpec { program: "run-agent".into(), args, env, cwd: None };
    let output = command.output().map_err(CallError::NotStarted)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing").to_owned();
    Err(CallError::Refused { verb: verb.to_owned(), status: output.status, said })
}
