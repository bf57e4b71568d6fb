//! What the index knows of a run and of a task.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    tree::{
        Fault,
        changes::DiffStat,
        ids::{ProjectId, RunId, TaskId},
        refs::{RunRef, TaskRef},
        run_info::{RunInfo, RunStatus},
        thread_link::ThreadParent,
        ticket::Place,
        usage::Usage,
    },
    view::{scan::RunEntry, task::TaskStatus, why::Own},
};

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// Its name.
    pub run: RunRef,
    /// The status that everybody is shown; `None`: its record cannot be read.
    pub status: Option<RunStatus>,
    /// Why its record cannot be read, or one sentence on why it did not succeed.
    pub error: Option<String>,
    /// Name of its agent.
    pub agent: String,
    /// What the agent's program says of its version.
    pub agent_version: Option<String>,
    /// When it began.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// Exit code, where the process exited.
    pub exit_code: Option<i32>,
    /// Whether its agent's process is known to have begun.
    pub(super) has_begun: bool,
    /// Whether its end is written down, so that nothing of it changes any more.
    pub settled: bool,
    /// The run whose agent asked for it.
    pub parent: Option<RunId>,
    /// The attempt before it.
    pub previous: Option<RunId>,
    /// Working folder of its agent.
    pub cwd: Option<Arc<str>>,
    /// Number of the attempt in its loop; 1 is the first.
    pub attempt: u32,
    /// The model that answered.
    pub model: Option<Arc<str>>,
    /// What it used, as far as its agent said.
    pub usage: Option<Usage>,
    /// Whether it plays another run again, which has used what it tells of.
    pub replayed: bool,
    /// How much it changed in its work folder, where that is a repository's.
    pub changed: Option<DiffStat>,
}

impl RunSummary {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status.is_some_and(RunStatus::is_final)
    }

    /// How it stood while its agent ran, without what its end has added.
    pub(super) fn while_running(&self) -> Self {
        Self {
            status: Some(RunStatus::Running),
            error: None,
            end_time: None,
            exit_code: None,
            settled: false,
            usage: None,
            changed: None,
            ..self.clone()
        }
    }

    /// What it adds to a sum: nothing where another run is played again.
    #[must_use]
    pub fn spent(&self) -> Option<&Usage> {
        self.usage.as_ref().filter(|_| !self.replayed)
    }

    /// What an entry says, for a task whose loop is wanted or not.
    pub(super) fn of(entry: RunEntry, ticket: Option<Place>) -> Self {
        match entry.record {
            // Where a loop is wanted its driver writes the end down in a moment, with all that belongs to it.
            Ok((info, status)) if status.is_final() && !info.status.is_final() && ticket.is_some() => {
                Self::readable(entry.run, info, RunStatus::Running)
            }
            Ok((info, status)) => Self::readable(entry.run, info, status),
            Err(e) => Self {
                run: entry.run,
                status: None,
                error: Some(e.to_string()),
                agent: String::new(),
                agent_version: None,
                start_time: None,
                end_time: None,
                exit_code: None,
                has_begun: false,
                settled: false,
                parent: None,
                previous: None,
                cwd: None,
                attempt: 1,
                model: None,
                usage: None,
                replayed: false,
                changed: None,
            },
        }
    }

    fn readable(run: RunRef, info: RunInfo, status: RunStatus) -> Self {
        Self {
            run,
            status: Some(status),
            error: info.error_summary,
            agent: info.agent,
            agent_version: info.agent_version,
            start_time: Some(info.start_time),
            end_time: info.end_time,
            exit_code: info.exit_code,
            has_begun: info.pid.is_some(),
            settled: info.status.is_final(),
            parent: info.parent_run_id,
            previous: info.previous_run_id,
            cwd: info.cwd.map(Arc::from),
            attempt: info.attempt,
            model: info.model.map(Arc::from),
            usage: info.usage,
            replayed: info.replay_of.is_some(),
            changed: info.git.and_then(|git| git.diffstat),
        }
    }
}

/// Where a queued task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Waits for a place; 1 is the first in line.
    Position(usize),
    /// Waits for other tasks: why.
    Blocked(String),
}

/// A task as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSummary {
    /// Its name.
    pub task: TaskRef,
    /// Where it stands by its own files.
    pub(super) status: TaskStatus,
    /// Where it stands in the queue.
    pub standing: Option<Standing>,
    /// Name of its agent; empty if its settings cannot be read.
    pub agent: String,
    /// The tasks that it depends on.
    pub depends_on: Vec<TaskId>,
    /// Its runs, oldest first.
    pub runs: Vec<Arc<RunSummary>>,
    /// Last start or end of a run.
    pub last_activity: Option<DateTime<Utc>>,
    /// The message of another task that it answers.
    pub thread_parent: Option<Arc<ThreadParent>>,
    /// Bytes of the answer of its last run, where there is one.
    pub last_output: Option<u64>,
    /// Its files, and those of its runs, that cannot be read.
    pub faults: Vec<Fault>,
    /// What its own files say of where it stands.
    pub(super) own: Own,
}

impl TaskSummary {
    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        match (self.status, &self.standing) {
            (TaskStatus::Queued, Some(Standing::Blocked(_))) => TaskStatus::Blocked,
            (status, _) => status,
        }
    }

    /// Whether DONE is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.own.done
    }

    /// When it was made, as far as its runs tell.
    #[must_use]
    pub fn created(&self) -> Option<DateTime<Utc>> {
        self.runs.iter().find_map(|r| r.start_time)
    }

    /// The run whose agent asked for it.
    #[must_use]
    pub fn parent(&self) -> Option<&RunId> {
        self.runs.iter().find_map(|r| r.parent.as_ref())
    }

    /// What its runs used together; `None` where no agent said anything.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let mut told = self.runs.iter().filter_map(|r| r.usage.as_ref()).peekable();
        told.peek()?;
        let mut sum = Usage::default();
        told.for_each(|usage| sum.add(usage));
        Some(sum)
    }

    /// How many of its runs stand like this.
    #[must_use]
    pub fn count(&self, status: RunStatus) -> usize {
        self.runs.iter().filter(|r| r.status == Some(status)).count()
    }

    /// Its place in the queue; 1 is the first in line.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        match (self.status, &self.standing) {
            (TaskStatus::Queued, Some(Standing::Position(n))) => Some(*n),
            _ => None,
        }
    }
}

/// A project as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSummary {
    /// Its name.
    pub project: ProjectId,
    /// Its work folder, where PROJECT-ROOT.txt says so.
    pub home: Option<Arc<str>>,
    /// When that was written, else when its folder was last changed.
    pub marked_at: DateTime<Utc>,
}

/// A project with what its tasks come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectEntry {
    /// What it says of itself.
    pub summary: Arc<ProjectSummary>,
    /// How many tasks with runs it has.
    pub tasks: usize,
    /// Last start or end of a run, or when its work folder was written down.
    pub last_activity: DateTime<Utc>,
}
