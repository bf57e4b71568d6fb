//! Speaking on the bus, as the preamble tells every agent to: by `run-agent bus post`, found in PATH.

use std::{ffi::OsString, io};

use crate::{config::Environment, process::command::CommandSpec};

/// Why a message did not get onto the bus.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// There is no such program, or it cannot be run.
    #[error("cannot run run-agent, which should be in PATH")]
    NotStarted(#[source] io::Error),
    /// It ran and refused.
    #[error("run-agent bus post failed ({status}): {said}")]
    Refused {
        /// How it ended.
        status: std::process::ExitStatus,
        /// The first line that it wrote to stderr: the error; hints come behind it.
        said: String,
    },
}

/// Posts one message to the task's bus.
///
/// # Errors
/// If `run-agent` is not there or refuses.
pub fn post(environment: &Environment, kind: &str, body: &str) -> Result<(), PostError> {
    let args = ["bus", "post", "--type", kind, "--body", body].map(OsString::from).to_vec();
    let env = environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let command = CommandSpec { program: "run-agent".into(), args, env, cwd: None };
    let output = command.output().map_err(PostError::NotStarted)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
    Err(PostError::Refused { status: output.status, said })
}
