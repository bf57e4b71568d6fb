//! Projects, and their tasks and runs as `/api/projects` shows them: with the words on disk.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;
use tree::{
    changes::DiffStat,
    ids::{ProjectId, RunId, TaskId},
    refs::TaskRef,
    run_info::RunStatus,
    thread_link::ThreadParent,
    usage::Usage,
};
use view::{
    files::RunFile,
    index::{ProjectEntry, RunSummary, TaskSummary},
    task::TaskStatus,
};

/// A project.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "field names of the API document")]
pub(crate) struct Project<'a> {
    id: &'a ProjectId,
    last_activity: Time,
    task_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_root: Option<&'a str>,
}

impl<'a> From<&'a ProjectEntry> for Project<'a> {
    fn from(entry: &'a ProjectEntry) -> Self {
        Self {
            id: &entry.summary.project,
            last_activity: Time(entry.last_activity),
            task_count: entry.tasks,
            project_root: entry.summary.home.as_deref(),
        }
    }
}

/// `GET /api/projects`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Projects<'a> {
    pub(crate) projects: Vec<Project<'a>>,
}

/// `GET /api/projects/home-dirs`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Folders<'a> {
    /// Folders that projects and runs work in.
    pub(crate) dirs: Vec<&'a str>,
}

/// `POST /api/projects`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    pub(crate) project_id: ProjectId,
    #[schemars(regex(pattern = "^/"))]
    pub(crate) project_root: PathBuf,
}

/// `DELETE /api/projects/{p}`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeletedProject<'a> {
    pub(crate) project_id: &'a ProjectId,
    pub(crate) deleted_tasks: usize,
    pub(crate) freed_bytes: u64,
}

/// `POST /api/projects/{p}/gc`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Collected {
    pub(crate) deleted_runs: usize,
    pub(crate) freed_bytes: u64,
    pub(crate) dry_run: bool,
}

/// `GET /api/projects/{p}/stats`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stats<'a> {
    pub(crate) project_id: &'a ProjectId,
    pub(crate) total_tasks: usize,
    pub(crate) total_runs: usize,
    pub(crate) running_runs: usize,
    pub(crate) completed_runs: usize,
    pub(crate) failed_runs: usize,
    /// Every other end, as documented.
    pub(crate) crashed_runs: usize,
    pub(crate) stopped_runs: usize,
    pub(crate) message_bus_files: u64,
    pub(crate) message_bus_total_bytes: u64,
}

/// A part of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListOf{T}")]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: usize,
    pub(crate) limit: usize,
    pub(crate) offset: usize,
    pub(crate) has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// A task in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskItem<'a> {
    id: &'a TaskId,
    project_id: &'a ProjectId,
    status: TaskStatus,
    agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Time>,
    run_count: usize,
    run_counts: BTreeMap<&'static str, usize>,
    depends_on: &'a [TaskId],
    blocked_by: Vec<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_parent: Option<&'a ThreadParent>,
    /// The task of the agent that started this one, if it is another task of the same project.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_task_id: Option<TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// True if the task has ended, or has DONE.
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run_status: Option<RunStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run_exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run_output_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<usize>,
    reason: String,
    /// True if its folder or one of its markers cannot be read; `reason` names it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
}

impl<'a> TaskItem<'a> {
    /// Creates an entry from a task, the reason for its status, and the tasks that it waits for.
    pub(crate) fn new(task: &'a TaskSummary, reason: String, blocked_by: Vec<TaskId>) -> Self {
        let mut run_counts = BTreeMap::new();
        for run in &task.runs {
            *run_counts.entry(run.status.map_or("unknown", RunStatus::as_str)).or_default() += 1;
        }
        let last = task.runs.last();
        Self {
            id: &task.task.task,
            project_id: &task.task.project,
            status: task.status(),
            agent: &task.agent,
            last_activity: task.last_activity.map(Time),
            created_at: task.created().map(Time),
            run_count: task.runs.len(),
            run_counts,
            depends_on: &task.depends_on,
            blocked_by,
            thread_parent: task.thread_parent.as_deref(),
            parent_task_id: None,
            usage: task.usage(),
            done: task.is_over(),
            last_run_status: last.and_then(|r| r.status),
            last_run_exit_code: last.and_then(|r| r.exit_code),
            last_run_output_size: task.last_output,
            queue_position: task.position(),
            reason,
            unreadable: task.is_unreadable(),
        }
    }

    /// Sets the task of the agent that started this one.
    pub(crate) fn below(mut self, parent: Option<TaskRef>) -> Self {
        self.parent_task_id = parent.filter(|p| p.project == *self.project_id).map(|p| p.task);
        self
    }
}

/// A file of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct File {
    name: &'static str,
    label: &'static str,
    size: u64,
}

impl From<(RunFile, u64)> for File {
    fn from((file, size): (RunFile, u64)) -> Self {
        Self { name: file.name(), label: file.label(), size }
    }
}

/// A run. Its name is given as both `id` and `run_id`, because clients use either.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProjectRun<'a> {
    id: &'a RunId,
    run_id: &'a RunId,
    project_id: &'a ProjectId,
    task_id: &'a TaskId,
    /// `unknown`: its record cannot be read.
    status: &'static str,
    agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    error_summary: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_run_id: Option<&'a RunId>,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diffstat: Option<DiffStat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<File>>,
}

impl<'a> ProjectRun<'a> {
    /// Creates an entry from a run, with its files if they are wanted.
    pub(crate) fn new(run: &'a RunSummary, files: Option<Vec<File>>) -> Self {
        Self {
            id: &run.run.run,
            run_id: &run.run.run,
            project_id: &run.run.task.project,
            task_id: &run.run.task.task,
            status: run.status.map_or("unknown", RunStatus::as_str),
            agent: &run.agent,
            agent_version: run.agent_version.as_deref(),
            start_time: run.start_time.map(Time),
            end_time: run.end_time.map(Time),
            exit_code: run.exit_code,
            error_summary: run.error.as_deref().unwrap_or_default(),
            cwd: run.cwd.as_deref(),
            parent_run_id: run.parent.as_ref(),
            previous_run_id: run.previous.as_ref(),
            attempt: run.attempt,
            model: run.model.as_deref(),
            usage: run.usage.as_ref(),
            diffstat: run.changed,
            files,
        }
    }
}

/// `GET /api/projects/{p}/tasks/{t}`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TaskDetail<'a> {
    #[serde(flatten)]
    pub(crate) item: TaskItem<'a>,
    /// As `status`, under the name that the original's clients read.
    pub(crate) state: TaskStatus,
    /// Oldest first under `/api/projects`; newest first in a stream.
    pub(crate) runs: Vec<ProjectRun<'a>>,
}

/// `POST …/tasks/{t}/resume`.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "field names of the API document")]
pub(crate) struct Resumed<'a> {
    pub(crate) project_id: &'a ProjectId,
    pub(crate) task_id: &'a TaskId,
    pub(crate) resumed: bool,
    /// The run that continues the task.
    pub(crate) run_id: &'a RunId,
    /// The folder that its agent works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<&'a str>,
}

/// `POST …/runs/{r}/stop`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Signalled<'a> {
    pub(crate) run_id: &'a RunId,
    /// `SIGTERM sent`
    pub(crate) message: &'static str,
}

/// A run in the flat list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FlatRun<'a> {
    id: &'a RunId,
    task_id: &'a TaskId,
    agent: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run_id: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_run_id: Option<&'a RunId>,
}

impl<'a> From<&'a Arc<RunSummary>> for FlatRun<'a> {
    fn from(run: &'a Arc<RunSummary>) -> Self {
        Self {
            id: &run.run.run,
            task_id: &run.run.task.task,
            agent: &run.agent,
            status: run.status.map_or("unknown", RunStatus::as_str),
            exit_code: run.exit_code,
            start_time: run.start_time.map(Time),
            end_time: run.end_time.map(Time),
            parent_run_id: run.parent.as_ref(),
            previous_run_id: run.previous.as_ref(),
        }
    }
}

/// `GET /api/projects/{p}/runs/flat`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FlatRuns<'a> {
    pub(crate) runs: Vec<FlatRun<'a>>,
}
