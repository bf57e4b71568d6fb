//! Commands to the daemon. An answer means that the command was executed; a client that disconnects cancels only the
//! wait.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::core::Core;
use crate::{
    blocking,
    process::claim::Claim,
    runner::{self, Accepted, Result, ResumeRequest, RunnerError, Stopped, Submission},
    tree::{
        bus::{BusOwner, Draft, LookBack, Message, Posted},
        refs::{RunRef, TaskRef},
        run_info::RunStatus,
        task::Idempotency,
        ticket::Place,
    },
    view::{index::Standing, scan},
};

/// Maximum time that an answer waits for the claim of an admitted run.
const CLAIM: Duration = Duration::from_secs(10);

/// Time for which the request behind a posted message is remembered.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// The metadata of a message that name the request which posted it, and a digest of that request.
const KEY: &str = "idempotency_key";
const DIGEST: &str = "idempotency_digest";

/// A task that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its first run.
    pub run: RunRef,
    /// The state at the time of the answer.
    pub standing: StartStanding,
    /// States if this very request was accepted before.
    pub novelty: Novelty,
}

/// States if the request was executed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It was executed now.
    New,
    /// The same request was executed before, and nothing was done again.
    Repeated,
}

/// The state of an accepted task at the time of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartStanding {
    /// Its run is claimed.
    Started,
    /// It waits for a place; 1 is the first in line.
    Queued(usize),
    /// It waits for other tasks, for this reason.
    Blocked(String),
}

impl Core {
    /// Accepts a task. When this function returns, the task's files and its ticket are durable, and it is started or
    /// queued.
    ///
    /// # Errors
    /// If the task cannot be accepted; nothing is written then.
    pub async fn submit(self: &Arc<Self>, submission: Submission) -> Result<Submitted> {
        let core = self.clone();
        self.shutdown
            .owned(async move {
                let (task, asked) = (submission.task.clone(), submission.origin.idempotency.clone());
                if let Some(before) = core.accepted_before(&task, asked.as_ref()).await? {
                    return Ok(before);
                }
                let runner = core.runner.clone();
                match blocking::run(move || runner::accept(&runner, &submission)).await {
                    Ok(accepted) => core.begin(accepted).await,
                    // The same request may have been sent twice at the same time.
                    Err(e) => core.accepted_before(&task, asked.as_ref()).await?.ok_or(e),
                }
            })
            .await
    }

    /// Returns the result of the same request, if it was sent before.
    ///
    /// # Errors
    /// If a request with the same key had another content.
    pub async fn accepted_before(
        &self,
        task: &TaskRef,
        asked: Option<&Idempotency>,
    ) -> Result<Option<Submitted>> {
        let Some(asked) = asked.cloned() else { return Ok(None) };
        let (runner, name) = (self.runner.clone(), task.clone());
        let run = blocking::run(move || runner::accepted_before(&runner, &name, &asked)).await?;
        let standing = self.standing(task);
        Ok(run.map(|run| Submitted { run, standing, novelty: Novelty::Repeated }))
    }

    /// Resumes a task that has ended. A request with a key is executed once, however often it is sent.
    ///
    /// # Errors
    /// If the task has not ended, or has a driver.
    pub async fn resume(self: &Arc<Self>, task: TaskRef, request: ResumeRequest) -> Result<Submitted> {
        let core = self.clone();
        self.shutdown
            .owned(async move {
                let asked = request.idempotency.clone();
                if let Some(before) = core.accepted_before(&task, asked.as_ref()).await? {
                    return Ok(before);
                }
                let (runner, name) = (core.runner.clone(), task.clone());
                let resume = move || {
                    // Checked before locking, so that the error for an active task says that there is nothing to
                    // resume.
                    runner::must_be_resumable(&runner, &name)?;
                    runner::resume(&runner, &name, &request)
                };
                match blocking::run(resume).await {
                    Ok(accepted) => core.begin(accepted).await,
                    // The same request may have been sent twice at the same time.
                    Err(e) => core.accepted_before(&task, asked.as_ref()).await?.ok_or(e),
                }
            })
            .await
    }

    /// Asks a task and its live children to stop.
    ///
    /// # Errors
    /// If the task does not exist.
    pub async fn stop(self: &Arc<Self>, task: TaskRef) -> Result<Stopped> {
        let core = self.clone();
        self.shutdown
            .owned(async move {
                let tree = core.runner.tree.clone();
                let stopped = blocking::run(move || runner::request_stop(&tree, &task)).await?;
                core.poke();
                for task in &stopped.tasks {
                    core.seen(task).await?;
                }
                Ok(stopped)
            })
            .await
    }

    /// Posts a message. When this function returns, the message is as durable as the settings require.
    ///
    /// # Errors
    /// If the project or task does not exist, or the message cannot be stored.
    pub async fn post(&self, owner: BusOwner, draft: Draft) -> Result<Message> {
        let (tree, index) = (self.runner.tree.clone(), self.index.clone());
        let post = move |owner: &BusOwner, drafts: Vec<Draft>| {
            let posted = tree.bus(owner.clone()).post_all(&drafts);
            index.posted_to(owner);
            posted
        };
        Ok(self.posts.ask(owner, draft, post).await?)
    }

    /// Posts a message once, however often the same request is sent within a day.
    ///
    /// # Errors
    /// As [`Core::post`], and [`RunnerError::Reused`] if a request with the same key has posted something else.
    pub async fn post_once(
        self: &Arc<Self>,
        owner: BusOwner,
        draft: Draft,
        asked: Idempotency,
    ) -> Result<(Message, Novelty)> {
        let bus = self.runner.tree.bus(owner.clone());
        let core = self.clone();
        let oldest = self.runner.tree.clock().now() - REMEMBERED;
        let work = move || {
            let draft = draft.with_meta(KEY, asked.key.as_str()).with_meta(DIGEST, asked.digest.as_str());
            let posted = bus.post_once(&draft, |m| match m.meta.get(KEY) {
                Some(key) if *key == asked.key => LookBack::Found,
                _ if m.timestamp < oldest => LookBack::Stop,
                _ => LookBack::Continue,
            })?;
            core.index.posted_to(&owner);
            match posted {
                Posted::New(message) => Ok((message, Novelty::New)),
                Posted::AlreadyThere(message) if message.meta.get(DIGEST) == draft.meta.get(DIGEST) => {
                    Ok((message, Novelty::Repeated))
                }
                Posted::AlreadyThere(_) => Err(RunnerError::Reused { key: asked.key }),
            }
        };
        self.shutdown.owned(blocking::run(work)).await
    }

    /// Waits until a run has ended, at most `limit`. Returns its status at that time.
    ///
    /// # Errors
    /// If its record cannot be read.
    pub async fn wait_for_end(self: &Arc<Self>, run: &RunRef, limit: Duration) -> Result<RunStatus> {
        let folder = self.runner.tree.root().absolute(run.dir().path());
        let [watched] = self.hints.watch_all([folder]).await;
        let mut waiter = watched.waiter();
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let (tree, name) = (self.runner.tree.clone(), run.clone());
            let (_, status) = blocking::run(move || scan::run(&tree, name).record).await?;
            let late = async {
                tokio::select! {
                    () = self.shutdown.token().cancelled() => true,
                    woken = tokio::time::timeout_at(deadline, waiter.next()) => woken.is_err(),
                }
            };
            if status.is_final() || late.await {
                self.seen(&run.task).await?;
                return Ok(status);
            }
        }
    }

    /// Starts an accepted task as far as the answer can report it.
    async fn begin(self: Arc<Self>, accepted: Accepted) -> Result<Submitted> {
        let run = accepted.ticket.run();
        let id = accepted.ticket_id;
        self.accepted(&id);
        // The driver takes the lock again: a queue of a thousand tasks must not keep a thousand files open.
        drop(accepted.lock);
        self.pass_now().await;
        let tree = self.runner.tree.clone();
        if blocking::run(move || tree.ticket(Place::Queue, &id)).await?.is_some() {
            self.seen(&run.task).await?;
            let standing = self.standing(&run.task);
            return Ok(Submitted { run, standing, novelty: Novelty::New });
        }
        let folder = self.runner.tree.root().absolute(run.dir().path());
        let [watched] = self.hints.watch_all([folder]).await;
        let mut waiter = watched.waiter();
        let deadline = tokio::time::Instant::now() + CLAIM;
        while !self.is_claimed(&run).await {
            tokio::select! {
                () = self.shutdown.token().cancelled() => break,
                woken = tokio::time::timeout_at(deadline, waiter.next()) => if woken.is_err() { break },
            }
        }
        self.seen(&run.task).await?;
        Ok(Submitted { run, standing: StartStanding::Started, novelty: Novelty::New })
    }

    async fn is_claimed(&self, run: &RunRef) -> bool {
        let (root, dir) = (self.runner.tree.root().clone(), run.dir());
        blocking::run(move || matches!(Claim::read(&root, dir.path()), Ok(Some(_)))).await
    }

    fn standing(&self, task: &TaskRef) -> StartStanding {
        match self.index.task(task).and_then(|t| t.standing.clone()) {
            Some(Standing::Position(n)) => StartStanding::Queued(n),
            Some(Standing::Blocked(why)) => StartStanding::Blocked(why),
            None => StartStanding::Started,
        }
    }

    /// Brings a change of our own into the index.
    pub(super) async fn seen(self: &Arc<Self>, task: &TaskRef) -> Result<()> {
        let (core, task) = (self.clone(), task.clone());
        Ok(blocking::run(move || core.refresh(&task)).await?)
    }
}
