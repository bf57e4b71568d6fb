//! Runs and their streams on `/api/v1`.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;
use tree::{
    ids::{ProjectId, RunId, TaskId},
    run_info::RunStatus,
};
use view::{
    index::{ChangeKind, RunSummary},
    run_log,
};

/// The word for the status of a run on `/api/v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunWord {
    Created,
    Running,
    Success,
    /// `success`, as the original program says it; only with `faces.conductor_loop`.
    Completed,
    Failed,
    Stopped,
    /// Its record cannot be read.
    Unknown,
}

/// The source of the words for a status: the document of the original and its program differ in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The document.
    Documented,
    /// The program: its own page and scripts wait for `completed`.
    Original,
}

impl Words {
    /// Returns the word for a status; `None` is the status of a run with an unreadable record.
    pub(crate) fn of(self, status: Option<RunStatus>) -> RunWord {
        match status {
            Some(RunStatus::Created) => RunWord::Created,
            Some(RunStatus::Running) => RunWord::Running,
            Some(RunStatus::Completed) if self == Self::Original => RunWord::Completed,
            Some(RunStatus::Completed) => RunWord::Success,
            Some(RunStatus::Failed | RunStatus::Crashed) => RunWord::Failed,
            Some(RunStatus::Stopped) => RunWord::Stopped,
            None => RunWord::Unknown,
        }
    }
}

impl RunWord {
    /// The words that a request may ask for.
    pub(crate) const WORDS: &[&str] = &["created", "running", "success", "failed", "stopped"];

    /// Returns the statuses that this word stands for.
    pub(crate) fn statuses(self) -> &'static [RunStatus] {
        match self {
            Self::Created => &[RunStatus::Created],
            Self::Running => &[RunStatus::Running],
            Self::Success | Self::Completed => &[RunStatus::Completed],
            Self::Failed => &[RunStatus::Failed, RunStatus::Crashed],
            Self::Stopped => &[RunStatus::Stopped],
            Self::Unknown => &[],
        }
    }
}

impl FromStr for RunWord {
    type Err = String;

    /// Accepts the words on disk, too.
    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "created" => Self::Created,
            "running" | "active" => Self::Running,
            "success" | "completed" => Self::Success,
            "failed" | "crashed" => Self::Failed,
            "stopped" => Self::Stopped,
            _ => {
                let known = Self::WORDS.join(", ");
                return Err(format!("'{}' is not one of {known}", word.escape_debug()));
            }
        })
    }
}

/// A run in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "field names of the API document")]
pub(crate) struct Run<'a> {
    pub(crate) run_id: &'a RunId,
    pub(crate) project_id: &'a ProjectId,
    pub(crate) task_id: &'a TaskId,
    pub(crate) status: RunWord,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous_run_id: Option<&'a RunId>,
}

impl<'a> Run<'a> {
    /// Creates an entry from a run.
    pub(crate) fn new(run: &'a RunSummary, words: Words) -> Self {
        Self {
            run_id: &run.run.run,
            project_id: &run.run.task.project,
            task_id: &run.run.task.task,
            status: words.of(run.status),
            agent: &run.agent,
            start_time: run.start_time.map(Time),
            end_time: run.end_time.map(Time),
            exit_code: run.exit_code,
            parent_run_id: run.parent.as_ref(),
            previous_run_id: run.previous.as_ref(),
        }
    }
}

/// `GET /api/v1/runs`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Runs<'a> {
    pub(crate) runs: Vec<Run<'a>>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// `POST /api/v1/runs/{id}/stop`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stopped {
    /// `stopped`, or `stopping` while the run has not ended.
    pub(crate) status: &'static str,
}

/// An event of `/api/v1/runs/stream/all`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunChange<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) run: Run<'a>,
}

impl<'a> RunChange<'a> {
    pub(crate) fn new(kind: ChangeKind, run: &'a RunSummary, words: Words) -> Self {
        let kind = match kind {
            ChangeKind::Created => "run_created",
            ChangeKind::Started => "run_started",
            ChangeKind::Updated => "run_updated",
        };
        Self { kind, run: Run::new(run, words) }
    }
}

/// An event of a run's stream.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum LogEvent<'a> {
    /// A line.
    Log {
        timestamp: Time,
        line: &'a str,
        stream: &'static str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        continues: bool,
    },
    /// A change of the run's status.
    Status {
        status: RunWord,
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
    },
    /// The end.
    Done,
}

impl<'a> LogEvent<'a> {
    pub(crate) fn new(event: &'a run_log::LogEvent, words: Words) -> Self {
        match event {
            run_log::LogEvent::Line { stream, time, text, continues } => Self::Log {
                timestamp: Time(*time),
                line: text,
                stream: stream.as_str(),
                continues: *continues,
            },
            run_log::LogEvent::Status(shown) => {
                Self::Status { status: words.of(Some(shown.status)), exit_code: shown.exit_code }
            }
            run_log::LogEvent::Done => Self::Done,
        }
    }
}

/// A single run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunDetail<'a> {
    #[serde(flatten)]
    pub(crate) run: Run<'a>,
    /// Empty if it is unknown.
    pub(crate) agent_version: &'a str,
    pub(crate) error_summary: &'a str,
    #[serde(flatten)]
    pub(crate) output: Option<Output>,
}

/// The output of a run's agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    pub(crate) output: String,
    /// True if the beginning was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) output_truncated: bool,
}

impl<'a> RunDetail<'a> {
    pub(crate) fn new(run: &'a RunSummary, output: Option<Output>, words: Words) -> Self {
        Self {
            run: Run::new(run, words),
            agent_version: run.agent_version.as_deref().unwrap_or_default(),
            error_summary: run.error.as_deref().unwrap_or_default(),
            output,
        }
    }
}

/// An event of the stream of a task's runs: the event of a run, and the run's id.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskLogEvent<'a> {
    run_id: &'a RunId,
    project_id: &'a ProjectId,
    task_id: &'a TaskId,
    #[serde(flatten)]
    event: LogEvent<'a>,
}

impl<'a> TaskLogEvent<'a> {
    pub(crate) fn new(run: &'a RunSummary, event: &'a run_log::LogEvent, words: Words) -> Self {
        let name = &run.run;
        Self {
            run_id: &name.run,
            project_id: &name.task.project,
            task_id: &name.task.task,
            event: LogEvent::new(event, words),
        }
    }
}
