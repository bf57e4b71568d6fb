//! `run-agent server update`: the daemon replaces its own program.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Call;
use crate::cli::{
    error::{CliError, CliResult, Kind},
    print::Form,
};

const PATH: &str = "/api/v1/admin/self-update";
/// Interval between two requests for the state of the update.
const LOOK: Duration = Duration::from_millis(200);
/// Maximum time that the daemon may be unreachable.
const AWAY: Duration = Duration::from_mins(1);

/// Verbs for updates.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  run-agent server update start --binary ./run-agent-new --wait
  run-agent server update status")]
pub(super) enum Verb {
    /// Show the state of the update
    #[command(after_help = "Examples:
  run-agent server update status")]
    Status,
    /// Replace the daemon's program as soon as no root task is live
    #[command(after_help = "Examples:
  run-agent server update start --binary ./run-agent-new --wait
  run-agent server update start --binary /tmp/run-agent --live")]
    Start {
        /// New run-agent program; only you or root may be able to write to it
        #[arg(long, value_name = "PATH")]
        binary: PathBuf,
        /// Update at once, even with live tasks; their runs continue
        #[arg(long)]
        live: bool,
        /// Wait until the update has succeeded or failed
        #[arg(long)]
        wait: bool,
    },
    /// Cancel a deferred update
    #[command(after_help = "Examples:
  run-agent server update cancel")]
    Cancel,
}

/// Runs the verb.
pub(super) fn run(verb: &Verb, call: &Call<'_>) -> CliResult<ExitCode> {
    let status = match verb {
        Verb::Status => call.client.get(PATH)?,
        Verb::Cancel => call.client.delete(PATH)?,
        Verb::Start { binary, live, wait } => {
            let binary = std::path::absolute(binary)
                .map_err(|e| CliError::caused(Kind::Usage, "this is not a path", e))?;
            let mode = if *live { "live" } else { "drain" };
            let status = call.client.post(PATH, Some(&json!({ "binary_path": binary, "mode": mode })))?;
            if *wait {
                let status = until_over(call)?;
                return print(call, &status, &outcome(&status));
            }
            status
        }
    };
    print(call, &status, &words(&status))
}

fn print(call: &Call<'_>, status: &Value, words: &str) -> CliResult<ExitCode> {
    if call.form == Form::Json {
        call.context.printer().json(status)?;
    } else {
        call.context.printer().word(words)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Describes an update that has just ended without a failure.
fn outcome(status: &Value) -> String {
    match (status["from_version"].as_str(), status["to_version"].as_str()) {
        (Some(from), Some(to)) => {
            format!("updated from {from} to {to}; the old program stays beside the new one, as ….rollback")
        }
        // The update was cancelled in the meantime.
        _ => words(status),
    }
}

/// Waits for the end of an update, during which the daemon may be unreachable for a moment.
fn until_over(call: &Call<'_>) -> CliResult<Value> {
    let mut seen = Instant::now();
    loop {
        match call.client.get(PATH) {
            Ok(status) => {
                seen = Instant::now();
                match status["state"].as_str() {
                    Some("deferred" | "applying") => {}
                    Some("failed") => return Err(CliError::new(Kind::Failed, words(&status))),
                    _ => return Ok(status),
                }
            }
            Err(e) if e.kind() != Kind::Unreachable || seen.elapsed() > AWAY => return Err(e),
            Err(_) => {}
        }
        std::thread::sleep(LOOK);
    }
}

fn words(status: &Value) -> String {
    let text = |name: &str| status[name].as_str().unwrap_or("?").to_owned();
    let roots = match status["active_runs_now"].as_u64() {
        Some(1) => "1 root task is live".to_owned(),
        n => format!("{} root tasks are live", n.unwrap_or(0)),
    };
    match status["state"].as_str() {
        Some("deferred") => format!("the update to {} waits: {roots}", text("binary_path")),
        Some("applying") => format!("the update to {} is being applied", text("binary_path")),
        Some("failed") => format!("the update to {} failed: {}", text("binary_path"), text("last_error")),
        _ if status["ended_at"].is_null() => format!("no update is requested; {roots}"),
        _ if status["to_version"].is_null() => {
            format!("the last update, to {}, was cancelled", text("binary_path"))
        }
        _ => format!(
            "no update is requested; the last one, from {} to {}, ended at {}",
            text("from_version"),
            text("to_version"),
            text("ended_at")
        ),
    }
}
