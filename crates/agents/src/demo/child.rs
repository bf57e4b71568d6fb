//! Asks a child task: gives part of the work to another demo agent.

use std::{ffi::OsString, path::Path};

use super::call::{CallError, call};
use base::fsx::RelPath;
use config::Environment;

/// The answer of a child task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildAnswer {
    /// The folder that it was asked about.
    pub folder: String,
    /// Its answer in one sentence.
    pub headline: String,
}

/// Returns true if this agent may ask a child. A child works alone, so that the chain of children ends.
pub fn may_ask(environment: &Environment) -> bool {
    environment.get("JRUN_PARENT_ID").is_none()
}

/// Asks a child task about a folder and waits for its answer.
///
/// # Errors
/// If `run-agent` does not exist, or the child fails.
pub fn ask(environment: &Environment, cwd: &Path, folder: &RelPath) -> Result<ChildAnswer, CallError> {
    let prompt = format!("How many lines are in `{folder}/`?");
    let args: [OsString; 6] =
        ["--agent".into(), "demo".into(), "--cwd".into(), cwd.into(), "--prompt".into(), prompt.into()];
    let answer = call(environment, "job", args)?;
    let headline = answer.lines().next().unwrap_or_default().trim_start_matches('#').trim().to_owned();
    Ok(ChildAnswer { folder: folder.to_string(), headline })
}
