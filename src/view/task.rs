//! The status of a task, decided in one place.
//!
//! 1. A run that is shown as running, or an admitted ticket: `running`.
//! 2. A ticket in the queue: `queued`, or `blocked` while a dependency is not done.
//! 3. The end of its last loop, if TASK-END.yaml records it.
//! 4. DONE: `completed`; STOP: `stopped`.
//! 5. Else the end of the last run. A loop whose last run succeeded without DONE is `idle`, because its agent did not
//!    declare the work finished.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tree::{run_info::RunStatus, task::TaskKind, task_end::EndStatus, ticket::Place};

/// The word for a task's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Accepted, and waits for a place.
    Queued,
    /// Waits for other tasks.
    Blocked,
    /// Its loop is live.
    Running,
    /// Finished.
    Completed,
    /// Its loop ended without success.
    Failed,
    /// Stopped on request.
    Stopped,
    /// Neither queued nor live, and neither finished, failed nor stopped.
    Idle,
}

impl TaskStatus {
    /// The word for the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Blocked => "blocked",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Idle => "idle",
        }
    }
}

impl From<EndStatus> for TaskStatus {
    fn from(end: EndStatus) -> Self {
        match end {
            EndStatus::Completed => Self::Completed,
            EndStatus::Failed => Self::Failed,
            EndStatus::Stopped => Self::Stopped,
        }
    }
}

/// States if a queued task waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// All are done, or there are none.
    Met,
    /// At least one is not.
    Unmet,
}

/// The facts that determine a task's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskFacts {
    /// A loop or a single run.
    pub kind: TaskKind,
    /// The place of its ticket, if it has one.
    pub ticket: Option<Place>,
    /// The end of its last loop.
    pub end: Option<EndStatus>,
    /// True if DONE exists.
    pub done: bool,
    /// True if STOP exists.
    pub stop: bool,
    /// The shown status of its last run.
    pub last_run: Option<RunStatus>,
    /// True if any of its runs is shown as running.
    pub any_running: bool,
    /// States if it waits for others.
    pub dependencies: Dependencies,
}

/// Decides the status of a task, by the rules at the top of this file.
#[must_use]
pub fn status(facts: &TaskFacts) -> TaskStatus {
    match (facts.ticket, facts.last_run) {
        _ if facts.any_running => TaskStatus::Running,
        (Some(Place::Live), _) => TaskStatus::Running,
        (Some(Place::Queue), _) if facts.dependencies == Dependencies::Unmet => TaskStatus::Blocked,
        (Some(Place::Queue), _) => TaskStatus::Queued,
        _ if facts.end.is_some() => facts.end.map_or(TaskStatus::Idle, TaskStatus::from),
        _ if facts.done => TaskStatus::Completed,
        _ if facts.stop => TaskStatus::Stopped,
        (None, Some(RunStatus::Completed)) if facts.kind == TaskKind::Job => TaskStatus::Completed,
        (None, Some(RunStatus::Failed | RunStatus::Crashed)) => TaskStatus::Failed,
        (None, Some(RunStatus::Stopped)) => TaskStatus::Stopped,
        (None, _) => TaskStatus::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_in_its_order() {
        let base = TaskFacts {
            kind: TaskKind::Task,
            ticket: None,
            end: None,
            done: false,
            stop: false,
            last_run: None,
            any_running: false,
            dependencies: Dependencies::Met,
        };
        let last = |status| TaskFacts { last_run: Some(status), ..base };
        for (facts, expected) in [
            (base, TaskStatus::Idle),
            (TaskFacts { any_running: true, done: true, ..base }, TaskStatus::Running),
            (TaskFacts { ticket: Some(Place::Live), ..last(RunStatus::Failed) }, TaskStatus::Running),
            (TaskFacts { ticket: Some(Place::Queue), done: true, ..base }, TaskStatus::Queued),
            (
                TaskFacts { ticket: Some(Place::Queue), dependencies: Dependencies::Unmet, ..base },
                TaskStatus::Blocked,
            ),
            (TaskFacts { end: Some(EndStatus::Failed), done: true, ..base }, TaskStatus::Failed),
            (TaskFacts { done: true, stop: true, ..last(RunStatus::Failed) }, TaskStatus::Completed),
            (TaskFacts { stop: true, ..last(RunStatus::Completed) }, TaskStatus::Stopped),
            (last(RunStatus::Completed), TaskStatus::Idle),
            (TaskFacts { kind: TaskKind::Job, ..last(RunStatus::Completed) }, TaskStatus::Completed),
            (last(RunStatus::Crashed), TaskStatus::Failed),
            (last(RunStatus::Stopped), TaskStatus::Stopped),
            (last(RunStatus::Created), TaskStatus::Idle),
        ] {
            assert_eq!(status(&facts), expected, "{facts:?}");
        }
    }
}
