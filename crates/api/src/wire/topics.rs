//! Events of the stream of a page.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    messages::BusMessage,
    projects::{Project, ProjectRun, TaskDetail, TaskItem},
    runs::{LogEvent, RunChange, TaskLogEvent, Words},
};
use crate::stream::{Content, TaskState};
use tree::ids::{ProjectId, TaskId};
use view::index::RunSummary;

/// The words of this stream, which the original does not have.
const WORDS: Words = Words::Documented;

/// An event of one topic.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TopicEvent<'a> {
    pub(crate) topic: &'a str,
    #[serde(flatten)]
    pub(crate) event: TopicSaid<'a>,
}

/// The content of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "it is written as soon as it is made, and never kept")]
pub(crate) enum TopicSaid<'a> {
    Own(Own<'a>),
    Log(LogEvent<'a>),
    RunLog(TaskLogEvent<'a>),
    Run(RunChange<'a>),
}

/// The events that only this stream has.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Own<'a> {
    /// Everything up to now has been sent.
    Ready,
    /// Earlier events of this topic are void.
    Reset,
    /// The named thing does not exist.
    Gone {
        error: &'a str,
    },
    /// The topic could not be read.
    Error {
        error: &'a str,
    },
    /// Nothing will follow.
    Done,
    Message {
        message: BusMessage<'a>,
    },
    Text {
        offset: u64,
        end: u64,
        text: &'a str,
    },
    Project {
        project: Project<'a>,
    },
    Task {
        task: TopicTask<'a>,
    },
    ProjectGone {
        project_id: &'a ProjectId,
    },
    TaskGone {
        project_id: &'a ProjectId,
        task_id: &'a TaskId,
    },
}

/// A task, with its runs if it is the only followed task.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum TopicTask<'a> {
    Item(TaskItem<'a>),
    Detail(TaskDetail<'a>),
}

/// Selects if the runs of a task are sent with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithRuns {
    Yes,
    No,
}

impl<'a> TopicTask<'a> {
    fn new(state: &'a TaskState, runs: WithRuns) -> Self {
        let task = &state.task;
        let item =
            TaskItem::new(task, state.reason.clone(), state.blocked_by.clone()).below(state.parent.clone());
        if runs == WithRuns::No {
            return Self::Item(item);
        }
        let run = |run: &'a std::sync::Arc<RunSummary>| ProjectRun::new(run, None);
        Self::Detail(TaskDetail {
            item,
            state: task.status(),
            runs: task.runs.iter().rev().map(run).collect(),
        })
    }
}

impl<'a> TopicSaid<'a> {
    /// Formats the event of a source.
    pub(crate) fn new(content: &'a Content, runs: WithRuns) -> Self {
        Self::Own(match content {
            Content::Log(event) => return Self::Log(LogEvent::new(event, WORDS)),
            Content::RunLog(run, event) => return Self::RunLog(TaskLogEvent::new(run, event, WORDS)),
            Content::Run(kind, run) => return Self::Run(RunChange::new(*kind, run, WORDS)),
            Content::Reset => Own::Reset,
            Content::End => Own::Done,
            Content::Message(message) => Own::Message { message: message.into() },
            Content::Text(piece) => Own::Text { offset: piece.from, end: piece.to, text: &piece.text },
            Content::Project(project) => Own::Project { project: project.into() },
            Content::Task(state) => Own::Task { task: TopicTask::new(state, runs) },
            Content::NoProject(project) => Own::ProjectGone { project_id: project },
            Content::NoTask(task) => Own::TaskGone { project_id: &task.project, task_id: &task.task },
        })
    }
}
