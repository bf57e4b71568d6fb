//! Drives one run from wherever its files say it stands to its committed end.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Runner,
    commit::{self, History},
    environment::run_of,
    error::Result,
    launch, orphan,
    wait::{RunWaiter, Woken},
};
use crate::{
    config::TaskSettings,
    process::{liveness::Liveness, pidfd::PidFd},
    tree::{refs::RunRef, run_info::RunInfo, run_info::RunStatus, task_lock::TaskLock},
    view::{
        outcome::Seen,
        run::{RunFacts, RunState},
    },
    watch::Hints,
};

/// How a drive ended.
#[derive(Debug)]
pub enum DriveEnd {
    /// The run's end is committed.
    Ended(Box<RunInfo>),
    /// We were told to go; the run goes on and somebody else drives it.
    Detached,
}

/// Who begins to drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Whoever accepted the task a moment ago.
    Fresh,
    /// Somebody who takes over what another left.
    Resumed,
}

/// Drives a run to its committed end. The lock says that nobody else does.
///
/// # Errors
/// If the tree cannot be read or written; the run itself goes on, and a later drive takes it up.
pub async fn drive(
    runner: &Runner,
    lock: &Arc<TaskLock>,
    run: RunRef,
    begin: Begin,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<DriveEnd> {
    let root = runner.tree.root();
    let mut waiter =
        RunWaiter::new(hints, &root.absolute(run.dir().path()), &root.absolute(run.task.dir().path()));
    let history = if begin == Begin::Fresh { History::Ours } else { History::Shared };
    let mut driver =
        Driver { runner: runner.clone(), lock: lock.clone(), run, history, seen: None, followed: None };
    loop {
        let next;
        (driver, next) = driver.advance_off_thread().await?;
        match next {
            Next::Ended(info) => return Ok(DriveEnd::Ended(info)),
            Next::Wait(process) => {
                if waiter.next(process.as_deref(), detach).await == Woken::Detach {
                    return Ok(DriveEnd::Detached);
                }
            }
        }
    }
}

/// One driver's view of one run, between two looks.
#[derive(Debug)]
struct Driver {
    runner: Runner,
    lock: Arc<TaskLock>,
    run: RunRef,
    history: History,
    seen: Option<Seen>,
    /// The process whose end comes next.
    followed: Option<Arc<PidFd>>,
}

/// What comes after a look.
#[derive(Debug)]
enum Next {
    /// Wait for a hint or for the end of this process.
    Wait(Option<Arc<PidFd>>),
    /// The end is committed.
    Ended(Box<RunInfo>),
}

impl Driver {
    /// Files are synced on the way: that must not hold up others of this thread.
    async fn advance_off_thread(mut self) -> Result<(Self, Next)> {
        let moved = tokio::task::spawn_blocking(move || {
            let next = self.advance();
            (self, next)
        });
        match moved.await {
            Ok((driver, next)) => Ok((driver, next?)),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Does everything that can be done now.
    fn advance(&mut self) -> Result<Next> {
        loop {
            let facts = RunFacts::read(&self.runner.tree, &self.run)?;
            let mut info = facts.info.clone();
            let state = facts.state(self.seen);
            // A run may have begun, and even ended, before its start was written down.
            if info.status == RunStatus::Created
                && let Some(claim) = facts.claim.as_ref().filter(|c| c.agent.is_some())
            {
                commit::record_start(&self.runner, &self.lock, &mut info, claim, self.history)?;
            }
            match state {
                RunState::Created => launch::start(&self.runner, &info)?,
                RunState::Ended(_) => return Ok(Next::Ended(Box::new(info))),
                RunState::Ending(outcome) => {
                    if facts.exit.is_none() {
                        orphan::end_processes(&self.run.run, self.grace(&info));
                    }
                    commit::commit_end(&self.runner, &self.lock, &mut info, &outcome, self.history)?;
                }
                RunState::Running(Liveness::Agent(_)) if self.without_shim(&info, facts.liveness)? => {}
                RunState::Running(liveness) => {
                    self.follow(liveness);
                    return Ok(Next::Wait(self.followed.clone()));
                }
            }
        }
    }

    /// Holds a handle on the process whose end comes next.
    fn follow(&mut self, liveness: Liveness) {
        let (Liveness::Shim(id) | Liveness::Agent(id)) = liveness else { return };
        if self.followed.as_ref().is_none_or(|f| f.id() != id) {
            self.followed = liveness.handle().map(Arc::new);
        }
    }

    /// Does what the shim would: obeys STOP, and sees the end. `true`: something changed.
    fn without_shim(&mut self, info: &RunInfo, liveness: Liveness) -> Result<bool> {
        self.follow(liveness);
        let stopped = self.runner.tree.root().exists(&self.run.task.dir().stop())?;
        if stopped {
            orphan::end_processes(&self.run.run, self.grace(info));
        }
        let Some(agent) = self.followed.clone() else { return Ok(false) };
        if !agent.has_ended() {
            return Ok(false);
        }
        let wait_status = orphan::exit_status(&agent);
        self.seen = Some(Seen { wait_status, at: self.runner.tree.clock().now(), stopped });
        Ok(true)
    }

    fn grace(&self, info: &RunInfo) -> Duration {
        let config = self.runner.tree.task_config(&run_of(info).task).ok();
        let agent = self.runner.config.agents.get(&info.agent);
        config
            .zip(agent)
            .and_then(|(c, a)| TaskSettings::resolve(&self.runner.config, a, &c.config).ok())
            .map_or(self.runner.config.defaults.stop_grace, |s| s.defaults.stop_grace)
    }
}
