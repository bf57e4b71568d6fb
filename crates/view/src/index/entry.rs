//! The facts about a run and about a task in the index.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use process::launch_files::JobRecord;

use crate::{
    scan::RunEntry,
    task::{self, Standing, TaskFacts, TaskStatus},
    task_files::{Attempt, ShownRun, TaskFiles},
};
use tree::{
    Fault,
    changes::DiffStat,
    ids::{ProjectId, RunId, TaskId},
    refs::{RunRef, TaskRef},
    run_info::{RunInfo, RunStatus},
    thread_link::ThreadParent,
    ticket::TicketFolder,
    usage::Usage,
};

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// Its name.
    pub run: RunRef,
    /// The status as shown to all readers; `None` if its record cannot be read.
    pub status: Option<RunStatus>,
    /// The reason that its record cannot be read, or one sentence on its failure.
    pub error: Option<String>,
    /// Name of its agent.
    pub agent: String,
    /// The version that the agent's program reports.
    pub agent_version: Option<String>,
    /// The time of its start; `None` before that.
    pub start_time: Option<DateTime<Utc>>,
    /// The time of its start; before that the time when it was created.
    pub(super) made_or_started: Option<DateTime<Utc>>,
    /// The time of its end.
    pub end_time: Option<DateTime<Utc>>,
    /// Exit code, if the process exited.
    pub exit_code: Option<i32>,
    /// True if the agent's process is known to have started.
    pub(super) has_begun: bool,
    /// The executor's job, while the run waits there for its claim.
    pub(super) job: Option<Arc<JobRecord>>,
    /// True if the end is recorded, so that the run cannot change any more.
    pub settled: bool,
    /// The run of the agent that started this one.
    pub parent: Option<RunId>,
    /// The attempt before it.
    pub previous: Option<RunId>,
    /// The working folder of its agent.
    pub cwd: Option<Arc<str>>,
    /// Number of the attempt in its loop; 1 is the first.
    pub attempt: u32,
    /// The model that answered.
    pub model: Option<Arc<str>>,
    /// Its usage, as far as its agent reported it.
    pub usage: Option<Usage>,
    /// True if it replays another run, which has already used the reported tokens.
    pub replayed: bool,
    /// The size of its changes in its working folder, if that is in a repository.
    pub changed: Option<DiffStat>,
}

impl RunSummary {
    /// Returns true if the run has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status.is_some_and(RunStatus::is_final)
    }

    /// Returns the run as it was while its agent ran, without the facts of its end.
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

    /// Returns its contribution to a sum of usage: nothing for a replayed run.
    #[must_use]
    pub fn spent(&self) -> Option<&Usage> {
        self.usage.as_ref().filter(|_| !self.replayed)
    }

    /// Creates a summary from an entry, for a task with or without a ticket.
    pub(super) fn of(entry: RunEntry, ticket: Option<TicketFolder>) -> Self {
        match entry.record {
            // While the task has a ticket, its driver will record the end with all its facts in a moment.
            Ok((info, status)) if status.is_final() && !info.status.is_final() && ticket.is_some() => {
                Self::readable(entry.run, info, RunStatus::Running, None)
            }
            Ok((info, status)) => Self::readable(entry.run, info, status, entry.job),
            Err(e) => Self {
                run: entry.run,
                status: None,
                error: Some(e.to_string()),
                agent: String::new(),
                agent_version: None,
                start_time: None,
                made_or_started: None,
                end_time: None,
                exit_code: None,
                has_begun: false,
                job: None,
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

    fn readable(run: RunRef, info: RunInfo, status: RunStatus, job: Option<Arc<JobRecord>>) -> Self {
        Self {
            run,
            status: Some(status),
            error: info.error_summary,
            agent: info.agent,
            agent_version: info.agent_version,
            start_time: (status != RunStatus::Created).then_some(info.start_time),
            made_or_started: Some(info.start_time),
            end_time: info.end_time,
            exit_code: info.exit_code,
            has_begun: info.pid.is_some(),
            job,
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

impl ShownRun for Arc<RunSummary> {
    fn id(&self) -> &RunId {
        &self.run.run
    }

    fn status(&self) -> Option<RunStatus> {
        self.status
    }

    fn attempt(&self) -> Option<Attempt> {
        let (start, status) = (self.made_or_started?, self.status?);
        let (id, error, job) = (self.run.run.clone(), self.error.clone(), self.job.clone());
        Some(Attempt { id, start, status, error, job })
    }
}

/// A task as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSummary {
    /// Its name.
    pub task: TaskRef,
    /// The facts that determine its status.
    pub(super) facts: TaskFacts,
    /// The gate's view of its ticket, while it waits in the queue.
    pub standing: Option<Standing>,
    /// Name of its agent; empty if its settings cannot be read.
    pub agent: String,
    /// The tasks that it depends on.
    pub depends_on: Vec<TaskId>,
    /// Its runs, oldest first.
    pub runs: Vec<Arc<RunSummary>>,
    /// Last start or end of a run.
    pub last_activity: Option<DateTime<Utc>>,
    /// The message of another task that this task answers.
    pub thread_parent: Option<Arc<ThreadParent>>,
    /// The size of its last run's answer in bytes, if there is one.
    pub last_output: Option<u64>,
    /// Its unreadable files, and those of its runs.
    pub faults: Vec<Fault>,
    /// Its own files.
    pub(super) files: TaskFiles,
}

impl TaskSummary {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        task::status(&self.facts, self.standing.as_ref())
    }

    /// Returns true if the task has ended, or has DONE.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.files.done || self.status().is_end()
    }

    /// Returns true if its folder or one of its markers cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.files.unreadable.is_some()
    }

    /// Returns the folder that the agent of one of its runs works in.
    #[must_use]
    pub fn folder_of(&self, run: &RunRef) -> Option<&str> {
        self.runs.iter().rev().find(|r| r.run == *run)?.cwd.as_deref()
    }

    /// Returns the time of its creation, as far as its runs show it.
    #[must_use]
    pub fn created(&self) -> Option<DateTime<Utc>> {
        self.runs.iter().find_map(|r| r.made_or_started)
    }

    /// Returns the run of the agent that started this task.
    #[must_use]
    pub fn parent(&self) -> Option<&RunId> {
        self.runs.iter().find_map(|r| r.parent.as_ref())
    }

    /// Returns the total usage of its runs; `None` if no agent reported any.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let mut told = self.runs.iter().filter_map(|r| r.usage.as_ref()).peekable();
        told.peek()?;
        let mut sum = Usage::default();
        told.for_each(|usage| sum.add(usage));
        Some(sum)
    }

    /// Returns the number of its runs with this status.
    #[must_use]
    pub fn count(&self, status: RunStatus) -> usize {
        self.runs.iter().filter(|r| r.status == Some(status)).count()
    }

    /// Returns the position in the queue; 1 is the first in line.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        match (self.status(), &self.standing) {
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
    /// Its home, if PROJECT-ROOT.txt names it.
    pub home: Option<Arc<str>>,
    /// The time when that file was written, else the last change of its folder.
    pub marked_at: DateTime<Utc>,
}

/// A project with statistics of its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectEntry {
    /// The project's own facts.
    pub summary: Arc<ProjectSummary>,
    /// The number of its tasks with runs.
    pub tasks: usize,
    /// The last start or end of a run, or the time when its home was recorded.
    pub last_activity: DateTime<Utc>,
}
