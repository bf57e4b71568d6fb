//! Converts a run-info.yaml of the original: no zero dates, and no end that no process saw.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use base::telemetry::Redactor;
use tree::{
    ids::RunId,
    kinds::{AgentType, Executor, Protocol},
    refs::RunRef,
    run_info::{ProcessOwnership, RunInfo, RunStatus},
};

/// Further facts about a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunContext<'a> {
    /// Time of its last output.
    pub(super) last_output: Option<DateTime<Utc>>,
    /// Time of the last change of its record.
    pub(super) recorded: DateTime<Utc>,
    pub(super) redactor: &'a Redactor,
}

/// Converts the original's record of a run. Empty values are dropped; `version` and unknown keys are kept as extras.
pub(super) fn convert(record: &Map<String, Value>, run: &RunRef, context: RunContext<'_>) -> RunInfo {
    let text =
        |key: &str| record.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let number = |key: &str| record.get(key).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
    let id = |key: &str| text(key).and_then(|t| t.parse::<RunId>().ok());
    let start_time = began(record, &run.run).or(context.last_output).unwrap_or(context.recorded);
    let agent = text("agent").or_else(|| text("agent_type")).unwrap_or_else(|| "unknown".to_owned());
    let exit_code = number("exit_code");
    let (status, why) = status(&text("status").unwrap_or_default(), exit_code, text("error_summary"));
    let ended = time(record, "end_time").or(context.last_output).unwrap_or(start_time).max(start_time);
    RunInfo {
        version: 1,
        run_id: run.run.clone(),
        project_id: run.task.project.clone(),
        task_id: run.task.task.clone(),
        status,
        agent_type: AgentType::from(text("agent_type").as_deref().unwrap_or(&agent)),
        agent,
        agent_version: text("agent_version"),
        protocol: Protocol::Exec,
        executor: Executor::Imported,
        host: text("host"),
        pid: number("pid").filter(|n| *n > 0),
        pgid: number("pgid").filter(|n| *n > 0),
        pid_started: None,
        process_ownership: ProcessOwnership::External,
        parent_run_id: id("parent_run_id"),
        previous_run_id: id("previous_run_id"),
        replay_of: None,
        attempt: 1,
        start_time,
        end_time: Some(ended),
        // Go's -1 means that there was no exit code.
        exit_code: exit_code.filter(|code| *code >= 0 && status != RunStatus::Crashed),
        signal: None,
        error_summary: why.map(|why| context.redactor.text(&why).into_owned()),
        cwd: text("cwd").or_else(|| text("working_dir")),
        prompt_path: String::new(),
        output_path: String::new(),
        stdout_path: String::new(),
        stderr_path: String::new(),
        commandline: text("commandline").map(|line| context.redactor.text(&line).into_owned()),
        error_class: None,
        retry_at: None,
        thread_id: None,
        model: None,
        usage: None,
        thread_usage: None,
        git: None,
        survivors_possible: false,
        notes: Vec::new(),
        extra: BTreeMap::new(),
    }
}

/// Returns the real status with a reason. The original's reader overwrites the status with `completed` or `failed` for
/// runs that ended without a process that saw it.
fn status(said: &str, exit_code: Option<i32>, summary: Option<String>) -> (RunStatus, Option<String>) {
    let unseen = |what: &str| {
        let why = format!("no process saw its end: the original {what}");
        (RunStatus::Crashed, Some(summary.as_ref().map_or_else(|| why.clone(), |s| format!("{why} ({s})"))))
    };
    let reconciled = summary.as_deref().is_some_and(|s| s.contains("reconciled"));
    match (said, exit_code) {
        ("completed" | "failed" | "success", _) if reconciled => unseen("has guessed it"),
        ("completed" | "success", None | Some(0)) => (RunStatus::Completed, None),
        ("completed" | "success" | "failed", Some(code)) if code > 0 => {
            (RunStatus::Failed, Some(summary.unwrap_or_else(|| format!("exit code {code}"))))
        }
        ("failed" | "crashed" | "completed" | "success", _) => (
            RunStatus::Failed,
            Some(summary.unwrap_or_else(|| "it failed, and the original does not say how".to_owned())),
        ),
        ("stopped" | "cancelled", _) => (RunStatus::Stopped, summary),
        ("running", _) => unseen("still calls it running"),
        ("", _) => unseen("has no status of it"),
        (other, _) => unseen(&format!("calls it '{}'", other.escape_debug())),
    }
}

/// Returns the time of the run's start, from its record or its id.
pub(super) fn began(record: &Map<String, Value>, run: &RunId) -> Option<DateTime<Utc>> {
    time(record, "start_time").or_else(|| named_time(run))
}

/// Returns a time of the record; `None` for a zero date.
fn time(record: &Map<String, Value>, key: &str) -> Option<DateTime<Utc>> {
    record.get(key)?.as_str()?.parse::<DateTime<Utc>>().ok().filter(|time| time.timestamp() > 0)
}

/// Parses the time in a run's id: `YYYYMMDD-HHMMSSffff-PID-SEQ`.
fn named_time(run: &RunId) -> Option<DateTime<Utc>> {
    let (date, rest) = run.as_str().split_once('-')?;
    let text = format!("{date}-{}", rest.get(..6)?);
    Some(NaiveDateTime::parse_from_str(&text, "%Y%m%d-%H%M%S").ok()?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_saw_is_no_success() {
        let text = |s: &str| Some(s.to_owned());
        let guess = "reconciled stale running status: process is not alive";
        for (said, code, summary, status_is) in [
            ("completed", Some(0), None, RunStatus::Completed),
            ("completed", None, None, RunStatus::Completed),
            ("completed", Some(0), text(guess), RunStatus::Crashed),
            ("completed", Some(2), None, RunStatus::Failed),
            ("completed", Some(-1), None, RunStatus::Failed),
            ("failed", Some(-1), text(guess), RunStatus::Crashed),
            ("failed", Some(3), None, RunStatus::Failed),
            ("running", Some(-1), None, RunStatus::Crashed),
            ("unknown", None, None, RunStatus::Crashed),
            ("", None, None, RunStatus::Crashed),
            ("stopped", None, None, RunStatus::Stopped),
        ] {
            let (status, why) = status(said, code, summary);
            assert_eq!(status, status_is, "{said} {code:?}");
            assert_eq!(why.is_none(), matches!(status, RunStatus::Completed | RunStatus::Stopped), "{said}");
        }
    }

    #[test]
    fn zero_dates_are_no_dates() {
        let task = tree::refs::TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
        let run = task.run("20260222-1601001234-12345-1".parse().unwrap());
        let record = serde_json::json!({
            "status": "running", "agent": "claude", "pid": 0, "exit_code": -1,
            "start_time": "0001-01-01T00:00:00Z", "end_time": "0001-01-01T00:00:00Z",
        });
        let redactor = Redactor::default();
        let context = RunContext { last_output: None, recorded: DateTime::UNIX_EPOCH, redactor: &redactor };
        let info = convert(record.as_object().unwrap(), &run, context);
        assert_eq!(info.start_time.to_rfc3339(), "2026-02-22T16:01:00+00:00");
        assert_eq!((info.end_time, info.exit_code, info.pid), (Some(info.start_time), None, None));
    }
}
