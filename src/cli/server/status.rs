//! `run-agent server status`: shows the queued and running tasks of a remote daemon.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{client::Call, task};
use crate::cli::{error::CliResult, print::Form};

/// Prints the status.
pub(super) fn run(call: &Call<'_>) -> CliResult<ExitCode> {
    let version = call.client.get("/api/v1/version")?;
    let tasks = call.client.get("/api/v1/tasks?status=queued,blocked,running")?;
    let wanted: Vec<Value> = tasks["tasks"].as_array().cloned().unwrap_or_default();
    if call.form == Form::Json {
        let answer = json!({ "server": call.client.base(), "version": version["version"], "tasks": wanted });
        call.context.printer().json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let version = version["version"].as_str().unwrap_or("of no known version");
    call.context.printer().word(&format!("daemon {version} at {}", call.client.base()))?;
    if wanted.is_empty() {
        call.context.printer().word("nothing is queued or running")?;
    } else {
        task::print(call, &wanted)?;
    }
    Ok(ExitCode::SUCCESS)
}
