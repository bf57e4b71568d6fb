//! The status of a task, decided in one place.
//!
//! 1. A run that is shown as running, or an admitted ticket with a driver: `running`. An admitted ticket that nothing
//!    drives is `idle`.
//! 2. A ticket in the queue: `queued`, or `blocked` while a dependency is not done.
//! 3. A folder that cannot be read: `failed`. So is a DONE that cannot be read, unless the loop has ended otherwise.
//! 4. The end of its last loop, if TASK-END.yaml records it.
//! 5. DONE: `completed`; STOP: `stopped`.
//! 6. Else the end of the last run. A loop is `idle` if its last run succeeded without DONE, because its agent did not
//!    declare the work finished.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::Driven;
use tree::{run_info::RunStatus, task::TaskKind, task_end::EndStatus, ticket::TicketFolder};

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
    /// Neither queued nor live, and neither finished, failed nor stopped; or live, but without a process and a driver.
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

    /// Returns true if the task waits or runs.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Self::Queued | Self::Blocked | Self::Running)
    }

    /// Returns true if the task has ended.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped)
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

/// The standing of a ticket, as the gate sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The gate has admitted the ticket: its loop is live.
    Live,
    /// The ticket is queued, and the next look of the gate admits it.
    Next,
    /// The ticket is queued and waits for a place; 1 is the first in line.
    Position(usize),
    /// The ticket is queued and waits for other tasks, for this reason.
    Blocked(String),
}

/// The facts that determine a task's status, the state of other tasks aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskFacts {
    /// A loop or a single run.
    pub kind: TaskKind,
    /// The place of its ticket, if it has one.
    pub ticket: Option<TicketFolder>,
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
    /// States if a process continues an admitted ticket: a driver of the task, or a daemon.
    pub driven: Driven,
    /// Says if its folder and DONE can be read.
    pub access: Access,
}

/// Says if the folder of a task, and DONE in it, can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// They can be read.
    #[default]
    Readable,
    /// One of them cannot be read, or is of the wrong kind.
    Unreadable,
}

/// Decides the status of a task, by the rules at the top of this file. `standing` is the gate's view of a queued
/// ticket, if it is known.
#[must_use]
pub fn status(facts: &TaskFacts, standing: Option<&Standing>) -> TaskStatus {
    match (facts.ticket, facts.last_run) {
        _ if facts.any_running => TaskStatus::Running,
        (Some(TicketFolder::Live), _) if facts.driven == Driven::No => TaskStatus::Idle,
        (Some(TicketFolder::Live), _) => TaskStatus::Running,
        (Some(TicketFolder::Queue), _) if matches!(standing, Some(Standing::Blocked(_))) => {
            TaskStatus::Blocked
        }
        (Some(TicketFolder::Queue), _) => TaskStatus::Queued,
        _ if facts.access == Access::Unreadable && matches!(facts.end, None | Some(EndStatus::Completed)) => {
            TaskStatus::Failed
        }
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

    /// Facts, the gate's view, and the resulting status.
    type Row = (TaskFacts, Option<Standing>, TaskStatus);

    #[track_caller]
    fn each_is_decided(rows: impl IntoIterator<Item = Row>) {
        for (facts, standing, expected) in rows {
            assert_eq!(status(&facts, standing.as_ref()), expected, "{facts:?} {standing:?}");
        }
    }

    const IDLE: TaskFacts = TaskFacts {
        kind: TaskKind::Task,
        ticket: None,
        end: None,
        done: false,
        stop: false,
        last_run: None,
        any_running: false,
        driven: Driven::Yes,
        access: Access::Readable,
    };

    fn last(status: RunStatus) -> TaskFacts {
        TaskFacts { last_run: Some(status), ..IDLE }
    }

    #[test]
    fn a_ticket_decides_before_markers_and_records() {
        let all =
            TaskFacts { end: Some(EndStatus::Failed), done: true, stop: true, ..last(RunStatus::Stopped) };
        let (queued, live) = (Some(TicketFolder::Queue), Some(TicketFolder::Live));
        let blocked = || Some(Standing::Blocked("task a is not done yet".to_owned()));
        each_is_decided([
            (TaskFacts { ticket: live, ..IDLE }, None, TaskStatus::Running),
            (TaskFacts { ticket: live, ..all }, Some(Standing::Live), TaskStatus::Running),
            // The gate's view is older than the admission of the ticket.
            (TaskFacts { ticket: live, ..all }, blocked(), TaskStatus::Running),
            (TaskFacts { ticket: queued, ..IDLE }, None, TaskStatus::Queued),
            (TaskFacts { ticket: queued, ..all }, Some(Standing::Next), TaskStatus::Queued),
            (TaskFacts { ticket: queued, ..all }, Some(Standing::Position(2)), TaskStatus::Queued),
            (TaskFacts { ticket: queued, ..all }, blocked(), TaskStatus::Blocked),
            // The ticket was removed after the gate looked.
            (IDLE, blocked(), TaskStatus::Idle),
        ]);
    }

    #[test]
    fn a_live_ticket_that_nothing_drives_is_idle_unless_a_run_is_there() {
        let undriven = |ticket| TaskFacts { ticket, driven: Driven::No, ..last(RunStatus::Crashed) };
        let live = undriven(Some(TicketFolder::Live));
        each_is_decided([
            (live, None, TaskStatus::Idle),
            (TaskFacts { any_running: true, ..live }, None, TaskStatus::Running),
            // A queued ticket waits for its first driver, and a task without a ticket needs none.
            (undriven(Some(TicketFolder::Queue)), None, TaskStatus::Queued),
            (undriven(None), None, TaskStatus::Failed),
        ]);
    }

    #[test]
    fn a_run_that_is_there_makes_its_task_running() {
        for ticket in [None, Some(TicketFolder::Queue), Some(TicketFolder::Live)] {
            let facts = TaskFacts {
                ticket,
                any_running: true,
                end: Some(EndStatus::Completed),
                done: true,
                stop: true,
                ..last(RunStatus::Failed)
            };
            let standing = Standing::Blocked("task a is not done yet".to_owned());
            each_is_decided([
                (facts, None, TaskStatus::Running),
                (facts, Some(standing), TaskStatus::Running),
            ]);
        }
    }

    #[test]
    fn without_a_ticket_the_end_of_the_loop_decides_then_the_markers() {
        for (end, status) in [
            (EndStatus::Completed, TaskStatus::Completed),
            (EndStatus::Failed, TaskStatus::Failed),
            (EndStatus::Stopped, TaskStatus::Stopped),
        ] {
            let facts = TaskFacts { end: Some(end), done: true, stop: true, ..last(RunStatus::Crashed) };
            each_is_decided([(facts, None, status)]);
        }
        each_is_decided([
            (TaskFacts { done: true, stop: true, ..last(RunStatus::Failed) }, None, TaskStatus::Completed),
            (TaskFacts { stop: true, ..last(RunStatus::Completed) }, None, TaskStatus::Stopped),
        ]);
    }

    #[test]
    fn what_cannot_be_read_is_not_completed() {
        let odd =
            TaskFacts { access: Access::Unreadable, end: Some(EndStatus::Completed), stop: true, ..IDLE };
        each_is_decided([
            (odd, None, TaskStatus::Failed),
            (TaskFacts { end: None, ..odd }, None, TaskStatus::Failed),
            (TaskFacts { end: Some(EndStatus::Stopped), ..odd }, None, TaskStatus::Stopped),
            (TaskFacts { ticket: Some(TicketFolder::Live), ..odd }, None, TaskStatus::Running),
            (TaskFacts { any_running: true, ..odd }, None, TaskStatus::Running),
        ]);
    }

    #[test]
    fn without_anything_else_the_last_run_decides() {
        let job = |facts| TaskFacts { kind: TaskKind::Job, ..facts };
        each_is_decided([
            (IDLE, None, TaskStatus::Idle),
            (job(IDLE), None, TaskStatus::Idle),
            (last(RunStatus::Created), None, TaskStatus::Idle),
            (last(RunStatus::Completed), None, TaskStatus::Idle),
            (job(last(RunStatus::Completed)), None, TaskStatus::Completed),
            (last(RunStatus::Failed), None, TaskStatus::Failed),
            (last(RunStatus::Crashed), None, TaskStatus::Failed),
            (last(RunStatus::Stopped), None, TaskStatus::Stopped),
            (job(last(RunStatus::Stopped)), None, TaskStatus::Stopped),
        ]);
    }
}
