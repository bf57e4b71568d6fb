//! Waits for tasks of a remote daemon and shows their output meanwhile.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    client::{Call, Next},
    names::task_path,
};
use crate::cli::error::{CliError, CliResult, Kind};
use tree::refs::TaskRef;

/// Interval between two requests for the state of a task.
const LOOK: Duration = Duration::from_millis(500);
/// Maximum time that a restarting daemon may be unreachable.
const AWAY: Duration = Duration::from_mins(1);

/// The destination of a run's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// The lines are the requested output.
    Stdout,
    /// The lines accompany other output.
    Stderr,
}

/// Waits until all of these tasks have ended, and returns the last answer about each.
pub(super) fn until_ended(
    call: &Call<'_>,
    tasks: &[TaskRef],
    limit: Option<Duration>,
) -> CliResult<Vec<Value>> {
    let began = Instant::now();
    let mut heard = Instant::now();
    let mut ended: Vec<Option<Value>> = vec![None; tasks.len()];
    loop {
        for (task, ended) in tasks.iter().zip(&mut ended).filter(|(_, ended)| ended.is_none()) {
            match call.client.get(&task_path(task)) {
                Ok(answer) => {
                    heard = Instant::now();
                    *ended = Some(answer).filter(|a| !is_wanted(a));
                }
                Err(e) if e.kind() == Kind::Unreachable && heard.elapsed() < AWAY => {}
                Err(e) => return Err(e),
            }
        }
        if let Some(all) = ended.iter().cloned().collect() {
            return Ok(all);
        }
        if limit.is_some_and(|limit| began.elapsed() >= limit) {
            let waits = tasks.iter().zip(&ended).filter(|(_, e)| e.is_none()).map(|(t, _)| t.to_string());
            let text = format!("not ended in time: {}", waits.collect::<Vec<_>>().join(", "));
            return Err(CliError::new(Kind::TimedOut, text));
        }
        std::thread::sleep(LOOK);
    }
}

fn is_wanted(task: &Value) -> bool {
    matches!(task["status"].as_str(), Some("queued" | "blocked" | "running"))
}

/// Returns the exit code for these tasks: 0 if all are completed.
pub(super) fn verdict(tasks: &[Value]) -> ExitCode {
    let completed = tasks.iter().all(|task| task["status"] == "completed");
    if completed { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.code()) }
}

/// Shows the output of a run line by line, to its end.
pub(super) fn show_log(call: &Call<'_>, run: &str, to: To) -> CliResult<()> {
    let printer = call.context.printer();
    call.client.follow(&format!("/api/v1/runs/{run}/stream"), |event| {
        let line = event["line"].as_str().unwrap_or_default();
        match event["type"].as_str() {
            Some("done") => return Ok(Next::Enough),
            Some("log") if to == To::Stdout && event["stream"] != "stderr" => {
                printer.foreign(format!("{line}\n").as_bytes())?;
            }
            Some("log") => {
                let _ = printer.foreign_word(format!("{line}\n").as_bytes());
            }
            _ => {}
        }
        Ok(Next::On)
    })
}
