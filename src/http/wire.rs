//! What goes over the wire on `/api/v1`: its words and shapes, as the document of the API has them.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    tree::{
        bus::{Link, Message, MessageType, Parent},
        ids::{MsgId, ProjectId, RunId, TaskId},
        run_info::RunStatus,
    },
    view::{
        index::{RunSummary, TaskSummary},
        run_log,
        task::TaskStatus,
    },
};

/// The word for a run's state on `/api/v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RunWord {
    Created,
    Running,
    Success,
    Failed,
    Stopped,
    /// Its record cannot be read.
    Unknown,
}

impl From<Option<RunStatus>> for RunWord {
    fn from(status: Option<RunStatus>) -> Self {
        match status {
            Some(RunStatus::Created) => Self::Created,
            Some(RunStatus::Running) => Self::Running,
            Some(RunStatus::Completed) => Self::Success,
            Some(RunStatus::Failed | RunStatus::Crashed) => Self::Failed,
            Some(RunStatus::Stopped) => Self::Stopped,
            None => Self::Unknown,
        }
    }
}

/// A time as the document spells it: RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A run in a list.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the document's names")]
pub(super) struct Run<'a> {
    pub(super) run_id: &'a RunId,
    pub(super) project_id: &'a ProjectId,
    pub(super) task_id: &'a TaskId,
    pub(super) status: RunWord,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_run_id: Option<&'a RunId>,
}

impl<'a> From<&'a RunSummary> for Run<'a> {
    fn from(run: &'a RunSummary) -> Self {
        Self {
            run_id: &run.run.run,
            project_id: &run.run.task.project,
            task_id: &run.run.task.task,
            status: run.status.into(),
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
#[derive(Debug, Serialize)]
pub(super) struct Runs<'a> {
    pub(super) runs: Vec<Run<'a>>,
}

/// An event of `/api/v1/runs/stream/all`.
#[derive(Debug, Serialize)]
pub(super) struct RunChange<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(flatten)]
    pub(super) run: Run<'a>,
}

/// An event of a run's stream.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum LogEvent<'a> {
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

impl<'a> From<&'a run_log::LogEvent> for LogEvent<'a> {
    fn from(event: &'a run_log::LogEvent) -> Self {
        match event {
            run_log::LogEvent::Line { stream, time, text, continues } => Self::Log {
                timestamp: Time(*time),
                line: text,
                stream: stream.as_str(),
                continues: *continues,
            },
            run_log::LogEvent::Status(shown) => {
                Self::Status { status: Some(shown.status).into(), exit_code: shown.exit_code }
            }
            run_log::LogEvent::Done => Self::Done,
        }
    }
}

/// A run by itself.
#[derive(Debug, Serialize)]
pub(super) struct RunDetail<'a> {
    #[serde(flatten)]
    pub(super) run: Run<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agent_version: Option<&'a str>,
    pub(super) error_summary: &'a str,
    #[serde(flatten)]
    pub(super) output: Option<Output>,
}

/// What a run's agent has printed.
#[derive(Debug, Serialize)]
pub(super) struct Output {
    pub(super) output: String,
    /// Whether the beginning was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) output_truncated: bool,
}

impl<'a> RunDetail<'a> {
    pub(super) fn new(run: &'a RunSummary, output: Option<Output>) -> Self {
        Self {
            run: run.into(),
            agent_version: run.agent_version.as_deref(),
            error_summary: run.error.as_deref().unwrap_or_default(),
            output,
        }
    }
}

/// A task.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the document's names")]
pub(super) struct Task<'a> {
    project_id: &'a ProjectId,
    task_id: &'a TaskId,
    status: TaskStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<usize>,
    reason: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    agent_type: &'a str,
    #[serde(skip_serializing_if = "<[TaskId]>::is_empty")]
    depends_on: &'a [TaskId],
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity: Option<Time>,
    runs: Vec<Run<'a>>,
}

impl<'a> Task<'a> {
    /// A task with the sentence on why it stands where it stands.
    pub(super) fn new(task: &'a TaskSummary, reason: String) -> Self {
        Self {
            project_id: &task.task.project,
            task_id: &task.task.task,
            status: task.status(),
            queue_position: task.position(),
            reason,
            agent_type: &task.agent,
            depends_on: &task.depends_on,
            last_activity: task.last_activity.map(Time),
            runs: task.runs.iter().rev().map(|r| Run::from(&**r)).collect(),
        }
    }
}

/// `GET /api/v1/tasks`.
#[derive(Debug, Serialize)]
pub(super) struct Tasks<'a> {
    pub(super) tasks: Vec<Task<'a>>,
}

/// What becomes of an existing task of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AttachMode {
    /// It must not exist.
    #[default]
    Create,
    /// Its live loop is taken for ours.
    Attach,
    /// It is taken up again.
    Resume,
}

/// `POST /api/v1/tasks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTask {
    pub(super) project_id: ProjectId,
    pub(super) task_id: TaskId,
    pub(super) agent_type: String,
    pub(super) prompt: String,
    #[serde(default)]
    pub(super) attach_mode: AttachMode,
    #[serde(default)]
    pub(super) config: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) depends_on: Vec<TaskId>,
    #[serde(default)]
    pub(super) project_root: Option<PathBuf>,
    #[serde(default)]
    pub(super) cwd: Option<PathBuf>,
    #[serde(default)]
    pub(super) parent_run_id: Option<RunId>,
}

/// The answer to it.
#[derive(Debug, Serialize)]
pub(super) struct Started<'a> {
    pub(super) project_id: &'a ProjectId,
    pub(super) task_id: &'a TaskId,
    pub(super) run_id: &'a RunId,
    pub(super) status: &'static str,
    pub(super) queue_position: usize,
    pub(super) depends_on: &'a [TaskId],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
}

/// `POST /api/v1/messages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    pub(super) project_id: ProjectId,
    #[serde(default)]
    pub(super) task_id: Option<TaskId>,
    #[serde(default)]
    pub(super) run_id: Option<RunId>,
    #[serde(rename = "type", default)]
    pub(super) kind: Option<MessageType>,
    pub(super) body: String,
    #[serde(default)]
    pub(super) parents: Vec<Parent>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
    #[serde(default)]
    pub(super) meta: BTreeMap<String, Value>,
}

/// A message: as on the bus, but that `parents` are ids, with the objects beside them.
#[derive(Debug, Serialize)]
pub(super) struct BusMessage<'a> {
    msg_id: &'a MsgId,
    timestamp: Time,
    #[serde(rename = "type")]
    kind: &'a MessageType,
    project_id: &'a ProjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'a TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parents: Vec<&'a MsgId>,
    #[serde(skip_serializing_if = "<[Parent]>::is_empty")]
    parent_refs: &'a [Parent],
    #[serde(skip_serializing_if = "<[Link]>::is_empty")]
    links: &'a [Link],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: &'a BTreeMap<String, Value>,
    body: &'a str,
}

impl<'a> From<&'a Message> for BusMessage<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            msg_id: &message.msg_id,
            timestamp: Time(message.timestamp),
            kind: &message.kind,
            project_id: &message.project_id,
            task_id: message.task_id.as_ref(),
            run_id: message.run_id.as_ref(),
            parents: message.parents.iter().map(|p| &p.msg_id).collect(),
            parent_refs: &message.parents,
            links: &message.links,
            meta: &message.meta,
            body: &message.body,
        }
    }
}

/// `GET /api/v1/messages`.
#[derive(Debug, Serialize)]
pub(super) struct Messages<'a> {
    pub(super) messages: Vec<BusMessage<'a>>,
    /// Whether more stand behind the last one.
    pub(super) more: bool,
}
