//! Starting a task: creating it, attaching to it, or resuming it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{super::core::Core, Novelty};
use base::{blocking, fsx::FsError};
use config::TaskStart;
use engine::runner::{self, Accepted, ResumeRequest, RunnerError, Submission};
use process::{claim::Claim, identity::holder, launch_files::JobRecord, open_files};
use tree::{
    TreeError,
    ids::RunId,
    refs::{RunRef, TaskRef},
    task::Idempotency,
    ticket::TicketFolder,
};
use view::task::{Standing, TaskStatus};

/// Maximum time that an answer waits for the claim of an admitted run.
const CLAIM: Duration = Duration::from_secs(10);

/// Number of descriptors that must be free before a task is accepted: for the requests that are being accepted at the same
/// time, and for the drivers of the tasks before them.
const SPARE: u64 = 64;

/// A caller's request for a task.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// The task.
    pub submission: Submission,
    /// The handling of an existing task of this name.
    pub existing: Existing,
}

/// The handling of an existing task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The request is refused.
    Refuse,
    /// The answer names the run of its live loop.
    Attach,
    /// It is resumed.
    Resume,
}

/// A task that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its first run.
    pub run: RunRef,
    /// The state at the time of the answer.
    pub standing: Standing,
    /// States if this very request was accepted before.
    pub novelty: Novelty,
}

/// The reason why a task is not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The daemon starts nothing.
    #[error("this daemon does not start tasks (--disable-task-start)")]
    Disabled,
    /// The daemon is about to be replaced. The program that would start a root task is not known.
    #[error("the daemon is being updated")]
    Updating,
    /// There is no live loop to attach to.
    #[error("task {0} has ended; continue it with attach_mode resume")]
    Ended(TaskRef),
    /// The task cannot be accepted or resumed.
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

type Result<T> = std::result::Result<T, StartError>;

impl Core {
    /// Starts a task as requested. When this function returns, the task's files and its ticket are durable, and it is
    /// started or queued.
    ///
    /// # Errors
    /// If the task cannot be accepted, attached to or resumed; nothing is written then.
    pub async fn start(self: &Arc<Self>, request: TaskRequest) -> Result<Submitted> {
        self.may_start()?;
        let TaskRequest { submission, existing } = request;
        // A child belongs to a root task, which an update waits for.
        if submission.parent_run_id.is_none() && self.updates.refuses_roots() {
            return Err(StartError::Updating);
        }
        let task = submission.task.clone();
        let is_there = self.index.task(&task).is_some_and(|t| !t.runs.is_empty());
        match existing {
            Existing::Attach if is_there => {
                // Attaching changes nothing. But an earlier, identical request may have created the task, and its answer
                // holds even after the task has ended.
                match self.accepted_before(&task, submission.origin.idempotency.as_ref()).await? {
                    Some(before) => Ok(before),
                    None => self.attach(&task, submission.cwd, submission.parent_run_id).await,
                }
            }
            Existing::Resume if is_there => {
                let (idempotency, folder) = (submission.origin.idempotency, submission.cwd);
                let asked = ResumeRequest { idempotency, folder, parent_run_id: submission.parent_run_id };
                Ok(self.resume_once(task, asked).await?)
            }
            _ => Ok(self.submit(submission).await?),
        }
    }

    /// Resumes a task that has ended.
    ///
    /// # Errors
    /// If the task has not ended, or has a driver.
    pub async fn resume(self: &Arc<Self>, task: TaskRef) -> Result<Submitted> {
        self.may_start()?;
        Ok(self.resume_once(task, ResumeRequest::default()).await?)
    }

    /// Fails if starting tasks is disabled.
    fn may_start(&self) -> Result<()> {
        match self.runner.config.task_start {
            TaskStart::Disabled => Err(StartError::Disabled),
            TaskStart::Enabled => Ok(()),
        }
    }

    /// Attaches to a task's live loop. If a folder is named, the task must work in it.
    async fn attach(
        &self,
        task: &TaskRef,
        folder: Option<PathBuf>,
        parent: Option<RunId>,
    ) -> Result<Submitted> {
        let (runner, name) = (self.runner.clone(), task.clone());
        blocking::run(move || {
            if let Some(parent) = &parent {
                runner::check_parent(&runner.tree, parent)?;
            }
            runner::must_work_in(&runner, &name, folder.as_deref())
        })
        .await?;
        let ended = || StartError::Ended(task.clone());
        let known = self.index.task(task).ok_or_else(ended)?;
        let run = known.runs.last().ok_or_else(ended)?.run.clone();
        // The status that every reader is shown decides: the index learns of a removed ticket a moment later.
        if !matches!(known.status(), TaskStatus::Queued | TaskStatus::Blocked | TaskStatus::Running) {
            return Err(ended());
        }
        let standing = known.standing.clone().unwrap_or(Standing::Live);
        Ok(Submitted { run, standing, novelty: Novelty::New })
    }

    /// Accepts a task. A request with a key is executed once, however often it is sent.
    async fn submit(self: &Arc<Self>, submission: Submission) -> runner::Result<Submitted> {
        let (task, asked) = (submission.task.clone(), submission.origin.idempotency.clone());
        let (runner, entry) = (self.runner.clone(), self.gate.entry());
        self.once(task, asked, move || runner::accept(&runner, &submission, entry)).await
    }

    /// Resumes a task that has ended. A request with a key is executed once, however often it is sent.
    async fn resume_once(
        self: &Arc<Self>,
        task: TaskRef,
        request: ResumeRequest,
    ) -> runner::Result<Submitted> {
        let (runner, name, asked) = (self.runner.clone(), task.clone(), request.idempotency.clone());
        let entry = self.gate.entry();
        let resume = move || {
            // Checked before locking, so that the error for an active task says that there is nothing to resume.
            runner::must_be_resumable(&runner, &name)?;
            runner::resume(&runner, &name, &request, entry)
        };
        self.once(task, asked, resume).await
    }

    /// Accepts a loop, unless the same request was accepted before.
    async fn once(
        self: &Arc<Self>,
        task: TaskRef,
        asked: Option<Idempotency>,
        accept: impl FnOnce() -> runner::Result<Accepted> + Send + 'static,
    ) -> runner::Result<Submitted> {
        let core = self.clone();
        self.shutdown
            .owned(async move {
                if let Some(before) = core.accepted_before(&task, asked.as_ref()).await? {
                    return Ok(before);
                }
                // Held until the run has begun, which takes descriptors, too. Nothing closes this semaphore.
                let _entry = core.entries.acquire().await;
                core.has_descriptors(&task)?;
                let accept = move || {
                    let accepted = accept()?;
                    if accepted.place == TicketFolder::Live {
                        // The drive goes on with this lock.
                        accepted.lock.sign(&holder("daemon"));
                    }
                    Ok(accepted)
                };
                match blocking::run(accept).await {
                    Ok(accepted) => Ok(core.clone().begin(accepted).await),
                    // The same request may have been sent twice at the same time.
                    Err(e) => core.accepted_before(&task, asked.as_ref()).await?.ok_or(e),
                }
            })
            .await
    }

    /// Refuses a task if too few descriptors are left. Without a descriptor even the files of a refused task could not be
    /// removed, so this is decided before anything is written.
    fn has_descriptors(&self, task: &TaskRef) -> runner::Result<()> {
        if open_files::has_room(SPARE) {
            return Ok(());
        }
        let path = self.runner.tree.root().absolute(task.dir().path());
        Err(TreeError::Fs(FsError { op: "accept", path, source: Arc::new(open_files::exhausted()) }).into())
    }

    /// Returns the result of the same request, if it was sent before.
    ///
    /// # Errors
    /// If a request with the same key had another content.
    async fn accepted_before(
        &self,
        task: &TaskRef,
        asked: Option<&Idempotency>,
    ) -> runner::Result<Option<Submitted>> {
        let Some(asked) = asked.cloned() else { return Ok(None) };
        let (runner, name) = (self.runner.clone(), task.clone());
        let run = blocking::run(move || runner::accepted_before(&runner, &name, &asked)).await?;
        let standing = self.standing(task);
        Ok(run.map(|run| Submitted { run, standing, novelty: Novelty::Repeated }))
    }

    /// Starts an accepted loop as far as the answer can report it. A failure is only logged: the loop is accepted, and
    /// its driver goes on.
    async fn begin(self: Arc<Self>, accepted: Accepted) -> Submitted {
        let run = accepted.ticket.run();
        match self.follow_start(accepted).await {
            Ok(submitted) => submitted,
            Err(e) => {
                tracing::warn!(error = %e, run = %run, "cannot follow the start of an accepted task");
                let standing = self.standing(&run.task);
                Submitted { run, standing, novelty: Novelty::New }
            }
        }
    }

    async fn follow_start(self: &Arc<Self>, accepted: Accepted) -> runner::Result<Submitted> {
        let run = accepted.ticket.run();
        let queued = self.gate.take(accepted).await;
        let tree = self.runner.tree.clone();
        if let Some(id) = queued
            && blocking::run(move || tree.ticket(TicketFolder::Queue, &id)).await?.is_some()
        {
            self.seen(&run.task).await?;
            let standing = self.standing(&run.task);
            return Ok(Submitted { run, standing, novelty: Novelty::New });
        }
        let folder = self.runner.tree.root().absolute(run.dir().path());
        let [watched] = self.hints.watch_all([folder]).await;
        let mut waiter = watched.waiter();
        let deadline = tokio::time::Instant::now() + CLAIM;
        while !self.is_on_its_way(&run).await {
            tokio::select! {
                () = self.shutdown.token().cancelled() => break,
                woken = tokio::time::timeout_at(deadline, waiter.next()) => if woken.is_err() { break },
            }
        }
        self.seen(&run.task).await?;
        Ok(Submitted { run, standing: Standing::Live, novelty: Novelty::New })
    }

    /// Returns true if a run is claimed, or was handed over to its executor.
    async fn is_on_its_way(&self, run: &RunRef) -> bool {
        let (root, dir) = (self.runner.tree.root().clone(), run.dir());
        blocking::run(move || {
            let claimed = matches!(Claim::read(&root, dir.path()), Ok(Some(_)));
            claimed || matches!(JobRecord::read(&root, dir.path()), Ok(Some(_)))
        })
        .await
    }

    /// Returns the standing of an accepted task. The index has one only for tasks that wait.
    fn standing(&self, task: &TaskRef) -> Standing {
        self.index.task(task).and_then(|t| t.standing.clone()).unwrap_or(Standing::Live)
    }
}
