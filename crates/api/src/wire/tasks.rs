//! Tasks on `/api/v1`, and their creation.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{
    runs::{Run, Words},
    time::Time,
};
use daemon::Submitted;
use tree::{
    ids::{ProjectId, RunId, TaskId},
    thread_link::ThreadParent,
};
use view::{
    index::TaskSummary,
    task::{Standing, TaskStatus},
};

/// A task.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "field names of the API document")]
pub(crate) struct Task<'a> {
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
    /// True if its folder or one of its markers cannot be read; `reason` names it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
    runs: Vec<Run<'a>>,
}

impl<'a> Task<'a> {
    /// Creates an entry from a task and the reason for its status.
    pub(crate) fn new(task: &'a TaskSummary, reason: String, words: Words) -> Self {
        Self {
            project_id: &task.task.project,
            task_id: &task.task.task,
            status: task.status(),
            queue_position: task.position(),
            reason,
            agent_type: &task.agent,
            depends_on: &task.depends_on,
            last_activity: task.last_activity.map(Time),
            unreadable: task.is_unreadable(),
            runs: task.runs.iter().rev().map(|r| Run::new(r, words)).collect(),
        }
    }
}

/// `GET /api/v1/tasks`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tasks<'a> {
    pub(crate) tasks: Vec<Task<'a>>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// The treatment of an existing task of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttachMode {
    /// The task must not exist.
    #[default]
    Create,
    /// The request attaches to the task's live loop.
    Attach,
    /// The task is resumed.
    Resume,
}

/// One id of a task, or several with commas between.
const SEVERAL_IDS: &str = "^ *[A-Za-z0-9][A-Za-z0-9_-]{0,127} *(, *[A-Za-z0-9][A-Za-z0-9_-]{0,127} *)*$";

/// Reads the ids of tasks. The original's clients put several into one text.
fn several_ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<TaskId>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let mut ids = Vec::new();
    for id in texts.iter().flat_map(|text| text.split(',')) {
        let id = id.trim_matches(' ').parse().map_err(serde::de::Error::custom)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// `POST /api/v1/tasks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTask {
    pub(crate) project_id: ProjectId,
    pub(crate) task_id: TaskId,
    pub(crate) agent_type: String,
    pub(crate) prompt: String,
    #[serde(default)]
    pub(crate) attach_mode: AttachMode,
    #[serde(default)]
    pub(crate) config: BTreeMap<String, Value>,
    /// The tasks that it waits for. A text may name several, with commas between.
    #[serde(default, deserialize_with = "several_ids")]
    #[schemars(with = "Vec<String>", inner(regex(pattern = SEVERAL_IDS)))]
    pub(crate) depends_on: Vec<TaskId>,
    /// The home of the project, if it is new; without `cwd` also the folder that the agent works in.
    #[serde(default)]
    #[schemars(regex(pattern = "^/"))]
    pub(crate) project_root: Option<PathBuf>,
    /// If true, an existing project is refused (409) unless `project_root` is its home.
    #[serde(default)]
    pub(crate) home_must_match: bool,
    /// The folder that the agent works in, in every run of the task.
    #[serde(default)]
    #[schemars(regex(pattern = "^/"))]
    pub(crate) cwd: Option<PathBuf>,
    #[serde(default)]
    pub(crate) parent_run_id: Option<RunId>,
    #[serde(default)]
    pub(crate) thread_parent: Option<ThreadParent>,
    #[serde(default)]
    pub(crate) thread_message_type: Option<ThreadMessageType>,
}

/// The type of the request on the bus of a task that answers a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ThreadMessageType {
    #[serde(rename = "USER_REQUEST")]
    UserRequest,
}

/// The answer to `POST /api/v1/tasks`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Started<'a> {
    project_id: &'a ProjectId,
    task_id: &'a TaskId,
    run_id: &'a RunId,
    status: &'static str,
    queue_position: usize,
    depends_on: &'a [TaskId],
    /// The folder that the agent works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Started<'a> {
    /// The answer, with what the index knows of the task.
    pub(crate) fn new(submitted: &'a Submitted, known: Option<&'a TaskSummary>) -> Self {
        let (status, queue_position, reason) = match &submitted.standing {
            Standing::Live | Standing::Next => ("started", 0, None),
            Standing::Position(n) => ("queued", *n, None),
            Standing::Blocked(why) => ("queued", 0, Some(why.as_str())),
        };
        Self {
            project_id: &submitted.run.task.project,
            task_id: &submitted.run.task.task,
            run_id: &submitted.run.run,
            status,
            queue_position,
            depends_on: known.map(|task| task.depends_on.as_slice()).unwrap_or_default(),
            cwd: known.and_then(|task| task.folder_of(&submitted.run)),
            reason,
        }
    }
}

/// `DELETE /api/v1/tasks/{id}`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cancelled {
    /// `cancelled`; `cancelling` while something of the task has not ended; `ended` if nothing was left to stop.
    pub(crate) status: &'static str,
    /// The number of its runs that were running.
    pub(crate) stopped_runs: usize,
}
