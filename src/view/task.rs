//! Where a task stands, decided in one place.
//!
//! 1. A run that is shown as running, or an admitted ticket: `running`.
//! 2. A ticket in the queue: `queued`, or `blocked` while a dependency is not done.
//! 3. As its last loop ended, where TASK-END.yaml says so.
//! 4. DONE: `completed`; STOP: `stopped`.
//! 5. Else as the last run ended. A loop whose last run succeeded without DONE is
//!    `idle`: nobody said that its work is finished.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tree::{run_info::RunStatus, task::TaskKind, task_end::EndStatus, ticket::Place};

/// The word for a task's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Accepted; waits for a place.
    Queued,
    /// Waits for other tasks.
    Blocked,
    /// Its loop is live.
    Running,
    /// Finished.
    Completed,
    /// Its loop ended without success.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// Nothing is wanted of it.
    Idle,
}

impl TaskStatus {
    /// The word itself.
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

/// Whether a queued task waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependencies {
    /// All are done, or there are none.
    Met,
    /// At least one is not.
    Unmet,
}

/// What a task's status is decided from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskFacts {
    /// A loop or a single run.
    pub kind: TaskKind,
    /// Where its ticket lies, if it has one.
    pub ticket: Option<Place>,
    /// How its last loop ended.
    pub end: Option<EndStatus>,
    /// Whether DONE is there.
    pub done: bool,
    /// Whether STOP is there.
    pub stop: bool,
    /// How its last run is shown.
    pub last_run: Option<RunStatus>,
    /// Whether any of its runs is shown as running.
    pub any_running: bool,
    /// Whether it waits for others.
    pub dependencies: Dependencies,
}

/// Decides where a task stands; the rules stand at the top of this file.
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
