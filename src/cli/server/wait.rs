//! Waits for tasks of a remote daemon and shows their output meanwhile.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    client::{AWAY, Call, Next},
    names::{project_path, task_path},
};
use crate::cli::{
    error::{CliError, CliResult, Kind},
    shown_text::ShownText,
    transcript_text::TranscriptText,
};
use tree::{
    refs::TaskRef,
    run_info::RunInfo,
    transcript::{Dialect, events_of_line},
};
use view::files::RunFile;

/// Interval between two requests for the state of a task.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until all of these tasks have ended, and returns the last answer about each.
pub(super) fn until_ended(
    call: &Call<'_>,
    tasks: &[TaskRef],
    limit: Option<Duration>,
) -> CliResult<Vec<Value>> {
    let began = Instant::now();
    let mut patience = Patience { heard: Instant::now() };
    let mut ended: Vec<Option<Value>> = vec![None; tasks.len()];
    loop {
        for (task, ended) in tasks.iter().zip(&mut ended).filter(|(_, ended)| ended.is_none()) {
            *ended = patience.get(call, task)?.filter(|answer| !is_wanted(answer));
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

/// Requests the state of tasks from a daemon that may be restarting.
struct Patience {
    /// The time of the last answer.
    heard: Instant,
}

impl Patience {
    /// Returns the state of a task; `None` while the daemon is away for a moment.
    fn get(&mut self, call: &Call<'_>, task: &TaskRef) -> CliResult<Option<Value>> {
        match call.client.get(&task_path(task)) {
            Ok(answer) => {
                self.heard = Instant::now();
                Ok(Some(answer))
            }
            Err(e) if e.kind() == Kind::Unreachable && self.heard.elapsed() < AWAY => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Shows on stderr what the runs of a task print, from the run `first` on, and what the task waits for between them.
/// Returns the last answer about the task when it has ended. `text` gets what was shown of the last run's stdout.
pub(super) fn follow_task(
    call: &Call<'_>,
    task: &TaskRef,
    first: &str,
    text: &mut ShownText,
) -> CliResult<Value> {
    let mut patience = Patience { heard: Instant::now() };
    let mut shown: Vec<String> = Vec::new();
    let (mut last_reason, mut said) = (String::new(), String::new());
    loop {
        let Some(answer) = patience.get(call, task)? else {
            std::thread::sleep(LOOK);
            continue;
        };
        let runs = runs_since(&answer, first);
        let ended = !is_wanted(&answer);
        let mut showed = false;
        for (run, status) in &runs {
            // A run that has not started may wait for hours.
            if (*status != "created" || ended) && !shown.iter().any(|known| known == run) {
                *text = ShownText::default();
                show_run(call, task, run, text)?;
                shown.push((*run).to_owned());
                showed = true;
            }
        }
        if ended {
            return Ok(answer);
        }
        if showed {
            continue;
        }
        // A state of a moment, such as a run that is about to start, is not worth a line.
        let reason = answer["reason"].as_str().unwrap_or_default();
        if runs.last().is_none_or(|(_, status)| *status == "created")
            && reason == last_reason
            && reason != said
        {
            call.context.printer().word(reason)?;
            reason.clone_into(&mut said);
        }
        reason.clone_into(&mut last_reason);
        std::thread::sleep(LOOK);
    }
}

/// Returns the runs of a task from `first` on, oldest first, each with its status.
fn runs_since<'a>(task: &'a Value, first: &str) -> Vec<(&'a str, &'a str)> {
    let mut runs = Vec::new();
    // The answer has the newest run first.
    for run in task["runs"].as_array().into_iter().flatten() {
        let Some(id) = run["run_id"].as_str() else { continue };
        runs.push((id, run["status"].as_str().unwrap_or_default()));
        if id == first {
            break;
        }
    }
    runs.reverse();
    runs
}

/// Shows the output of a run on stderr as `job --follow` does: what a known agent says and does, and the lines of any
/// other.
fn show_run(call: &Call<'_>, task: &TaskRef, run: &str, shown: &mut ShownText) -> CliResult<()> {
    let dialect = dialect(call, task, run)?;
    let printer = call.context.printer();
    if dialect == Dialect::Text {
        return each_line(call, run, |line| {
            let text = format!("{}\n", line.text);
            if !line.on_stderr {
                shown.add(text.as_bytes());
            }
            let _ = printer.foreign_word(text.as_bytes());
            Ok(())
        });
    }
    let (mut text, mut whole) = (TranscriptText::default(), String::new());
    each_line(call, run, |line| {
        let words = if line.on_stderr {
            format!("{}\n", line.text)
        } else {
            whole.push_str(line.text);
            if line.continues {
                return Ok(());
            }
            let line = std::mem::take(&mut whole);
            let events = events_of_line(dialect, 0, line.len() as u64 + 1, line.as_bytes());
            let words: String = events.iter().map(|event| text.of(event)).collect();
            shown.add(words.as_bytes());
            words
        };
        let _ = printer.foreign_word(words.as_bytes());
        Ok(())
    })
}

/// Returns the language of a run's output, which its record names.
fn dialect(call: &Call<'_>, task: &TaskRef, run: &str) -> CliResult<Dialect> {
    let record = file(call, task, run, RunFile::Info)?;
    let info = record.and_then(|text| serde_yaml::from_str::<RunInfo>(&text).ok());
    Ok(info.map_or(Dialect::Text, |info| agents::dialect_of(&info)))
}

/// Returns the text of a file of a run; `None` if there is no such file.
pub(super) fn file(call: &Call<'_>, task: &TaskRef, run: &str, file: RunFile) -> CliResult<Option<String>> {
    let name = file.name();
    match call.client.get(&format!("{}/runs/{run}/file?name={name}", project_path(task))) {
        Ok(answer) => Ok(answer["content"].as_str().map(str::to_owned)),
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
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
pub(super) fn show_log(call: &Call<'_>, run: &str) -> CliResult<()> {
    let printer = call.context.printer();
    each_line(call, run, |line| {
        let text = format!("{}\n", line.text);
        if line.on_stderr {
            let _ = printer.foreign_word(text.as_bytes());
        } else {
            printer.foreign(text.as_bytes())?;
        }
        Ok(())
    })
}

/// A line of a run's output, or a part of a long one.
struct Line<'a> {
    text: &'a str,
    on_stderr: bool,
    /// True if the next part follows.
    continues: bool,
}

/// Calls `take` with each line of a run's output, to its end.
fn each_line(call: &Call<'_>, run: &str, mut take: impl FnMut(Line<'_>) -> CliResult<()>) -> CliResult<()> {
    call.client.follow(&format!("/api/v1/runs/{run}/stream"), |event| {
        match event["type"].as_str() {
            Some("done") => return Ok(Next::Enough),
            Some("log") => take(Line {
                text: event["line"].as_str().unwrap_or_default(),
                on_stderr: event["stream"] == "stderr",
                continues: event["continues"] == true,
            })?,
            _ => {}
        }
        Ok(Next::On)
    })
}
