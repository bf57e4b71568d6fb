//! Drives one run to its committed end, from the state that its files show.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::runner::{
    Runner,
    agent::{
        environment::cwd_of,
        launch::Start,
        start::{self, Started},
    },
    attempt::{
        commit::{self, End, History},
        conversation::{Conversation, Process},
        elsewhere::{self, Verdict},
        event_log::EventLog,
        frozen_shim,
        known_records::{KnownRecords, Missing},
        last_word,
        limited::{self, LimitWatch},
        orphan,
        wait::{RunWaiter, Woken},
    },
    error::Result,
    tidy::stale_files,
};
use base::{blocking, fsx::Root};
use config::{Defaults, TaskSettings};
use process::{exit::ExitRecord, launch_files, liveness::Liveness, pidfd::PidFd};
use tree::{
    kinds::Protocol,
    refs::RunRef,
    run_info::{RunInfo, RunStatus},
    task::TaskKind,
    task_lock::TaskLock,
    transcript::Stream,
};
use view::{
    outcome::ObservedEnd,
    run::{RunFacts, RunState},
    watch::Hints,
};

/// Maximum number of attempts to read the records of a run while its agent replaces them.
const RESTORES: u32 = 20;
/// Pause before such an attempt.
const RESTORED_WITHIN: Duration = Duration::from_millis(10);

/// The end of a drive.
#[derive(Debug)]
pub enum DriveEnd {
    /// The run's end is committed.
    Ended(Box<RunInfo>),
    /// The driver was told to detach; the run continues, and another driver takes over.
    Detached,
}

/// The way in which a driver gets a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// The driver accepted the task a moment ago.
    Fresh,
    /// The driver takes over from another one.
    Resumed,
}

/// Drives a run to its committed end. The lock guarantees that there is no other driver.
///
/// # Errors
/// If the tree cannot be read or written. The run itself goes on, and a later drive continues.
pub async fn drive(
    runner: &Runner,
    lock: &Arc<TaskLock>,
    run: RunRef,
    begin: Begin,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<DriveEnd> {
    let root = runner.tree.root();
    if begin == Begin::Resumed {
        let (tree, dirs) = (runner.tree.clone(), (run.dir(), run.task.dir()));
        blocking::run(move || {
            stale_files::clear(&tree, dirs.0.path())?;
            stale_files::clear(&tree, dirs.1.path())
        })
        .await?;
    }
    // The folders are watched only after the first look, which may start the run, so that watching does not delay a
    // start.
    let mut watching: Option<RunWaiter> = None;
    let mut driver = Driver::new(runner, lock.clone(), run, begin);
    loop {
        let next;
        (driver, next) = driver.advance_off_thread().await?;
        match (next, &mut watching) {
            (Next::Ended(info), _) => return Ok(DriveEnd::Ended(info)),
            // The next look sees all changes since that look.
            (Next::Wait(..), None) => {
                let (run_dir, task_dir) = (driver.run.dir(), driver.run.task.dir());
                let folders = [run_dir.path(), task_dir.path()].map(|dir| root.absolute(dir));
                watching = Some(RunWaiter::new(hints, folders).await);
            }
            (Next::Wait(process, limit), Some(waiter)) => {
                if waiter.next(process.as_deref(), limit, detach).await == Woken::Detach {
                    return Ok(DriveEnd::Detached);
                }
            }
        }
    }
}

/// Commits the end of a run that has ended, without waiting. Returns false if the run has not ended, or its end is
/// already committed.
pub(in crate::runner) fn settle(runner: &Runner, lock: Arc<TaskLock>, run: RunRef) -> Result<bool> {
    if !matches!(RunFacts::read(&runner.tree, &run)?.state(None), RunState::Ending(_)) {
        return Ok(false);
    }
    match Driver::new(runner, lock, run, Begin::Resumed).advance()? {
        Next::Ended(_) => Ok(true),
        Next::Wait(..) => Ok(false),
    }
}

/// One driver's view of one run, between two looks.
#[derive(Debug)]
struct Driver {
    runner: Runner,
    lock: Arc<TaskLock>,
    run: RunRef,
    history: History,
    /// What this driver has started, until the start is recorded.
    start: Option<Start>,
    /// A handle on the agent's process, taken while it runs. It gives the exit status if the shim is gone by the end.
    agent: Option<Arc<PidFd>>,
    /// The process that is expected to end next.
    followed: Option<Arc<PidFd>>,
    /// True if the driver has obeyed STOP in place of a dead shim.
    stopped: bool,
    seen: Option<ObservedEnd>,
    events: EventLog,
    conversation: Conversation,
    limit: LimitWatch,
    elsewhere: elsewhere::Watch,
    /// True if a run elsewhere was found to be gone.
    lost: bool,
    secrets_are_gone: bool,
    /// The records at the last look.
    known: Option<KnownRecords>,
    shim: frozen_shim::Watch,
    last_word: last_word::Watch,
}

/// The step after a look.
#[derive(Debug)]
enum Next {
    /// Wait for a hint or for the end of this process, for at most this time.
    Wait(Option<Arc<PidFd>>, Option<Duration>),
    /// The end is committed.
    Ended(Box<RunInfo>),
}

impl Driver {
    fn new(runner: &Runner, lock: Arc<TaskLock>, run: RunRef, begin: Begin) -> Self {
        Self {
            runner: runner.clone(),
            lock,
            run,
            history: if begin == Begin::Fresh { History::Ours } else { History::Shared },
            start: None,
            agent: None,
            followed: None,
            stopped: false,
            seen: None,
            events: EventLog::new(),
            conversation: Conversation::default(),
            limit: LimitWatch::default(),
            elsewhere: elsewhere::Watch::default(),
            lost: false,
            secrets_are_gone: false,
            known: None,
            shim: frozen_shim::Watch::default(),
            last_word: last_word::Watch::default(),
        }
    }

    /// Calls [`Driver::advance`] on a thread that may block, because it reads and syncs files.
    async fn advance_off_thread(mut self) -> Result<(Self, Next)> {
        blocking::run(move || self.advance().map(|next| (self, next))).await
    }

    /// Does everything that can be done now.
    fn advance(&mut self) -> Result<Next> {
        loop {
            let mut facts = self.read_facts()?;
            if self.lost {
                facts.count_as_gone(&self.runner.tree, &self.run)?;
            }
            let mut info = facts.info.clone();
            self.take_hold(&facts);
            self.remove_secrets(&facts)?;
            let state = facts.state(self.seen);
            // A run may have begun, and even ended, before its start was recorded.
            if info.status == RunStatus::Created
                && let Some(claim) = facts.claim.as_ref().filter(|c| c.agent.is_some())
            {
                let start = self.start.as_ref();
                commit::record_start(&self.runner, &self.lock, &mut info, claim, self.history, start)?;
                self.start = None;
            }
            match state {
                RunState::Created => match start::start(&self.runner, &info, &mut self.start)? {
                    Started::Claimed => {}
                    Started::HandedOver(wait) => return Ok(Next::Wait(None, Some(wait))),
                },
                RunState::Ended(_) => return Ok(Next::Ended(Box::new(info))),
                RunState::Ending(outcome) => {
                    if let (None, Some(claim)) = (&facts.exit, &facts.claim) {
                        // Without a shim that saw them all, and without a group that holds them all, a process that has
                        // left its parent and cleared its environment cannot be found.
                        info.survivors_possible = claim.agent.is_some() && claim.cgroup.is_none();
                        orphan::end_processes(&self.run.run, claim, self.grace(&info));
                        self.remove_room()?;
                    }
                    info.notes.extend(facts.exit.as_ref().and_then(last_word::note));
                    if outcome.started_at.is_some() || info.pid.is_some() {
                        self.events.catch_up(&self.runner, &self.run, &info, Stream::Ended)?;
                    }
                    self.conversation.advance(&self.runner, &info, Process::Ended, None)?;
                    let end = End { outcome: &outcome, account: facts.account.as_deref() };
                    commit::commit_end(&self.runner, &self.lock, &mut info, &end, self.history)?;
                }
                RunState::Running(Liveness::Agent(_)) if self.obey_stop(&facts)? => {}
                RunState::Running(Liveness::Elsewhere) => {
                    self.events.catch_up(&self.runner, &self.run, &info, Stream::Open)?;
                    let limit = self.watch_output(&info)?;
                    let grace = self.grace(&info);
                    let (verdict, poll) = self.elsewhere.look(&self.runner, &self.run, &info, grace)?;
                    if verdict != Verdict::Gone {
                        self.followed = None;
                        return Ok(Next::Wait(None, Some(limit.map_or(poll, |limit| limit.min(poll)))));
                    }
                    self.lose()?;
                }
                RunState::Running(liveness) => {
                    self.events.catch_up(&self.runner, &self.run, &info, Stream::Open)?;
                    let mut limit = self.watch_output(&info)?;
                    if let Liveness::Shim(shim) = liveness {
                        let grace = self.grace(&info);
                        let next = self.shim.look(&self.runner, &self.run, shim, grace)?;
                        limit = Some(limit.map_or(next, |limit| limit.min(next)));
                    }
                    if let Some(next) = self.converse(&info, liveness)? {
                        limit = Some(limit.map_or(next, |limit| limit.min(next)));
                    }
                    if self.follow(liveness) {
                        return Ok(Next::Wait(self.followed.clone(), limit));
                    }
                }
            }
        }
    }

    /// Removes the room for a record that the killed shim has not written.
    fn remove_room(&self) -> Result<()> {
        let (root, dir) = (self.runner.tree.root(), self.run.dir());
        if ExitRecord::unlinked(root, dir.path()).is_none() {
            root.remove(&Root::reserved_for(&dir.exit()))?;
        }
        Ok(())
    }

    /// Reads the facts. Records that are gone since the last look are written again.
    fn read_facts(&mut self) -> Result<RunFacts> {
        let mut tries = 0;
        loop {
            if let Some(known) = &self.known {
                let missing = if tries < RESTORES { Missing::Left } else { Missing::Restored };
                known.restore(&self.runner, &self.lock, &self.run, missing)?;
            }
            match RunFacts::read(&self.runner.tree, &self.run) {
                Ok(facts) => {
                    self.known = Some(KnownRecords::of(&facts));
                    return Ok(facts);
                }
                // A record was replaced since, or is missing; the shim, too, restores its claim in a moment.
                Err(e) if self.known.is_some() && tries < RESTORES => {
                    tracing::debug!(error = %e, run = %self.run, "a record of a live run cannot be read");
                    tries += 1;
                    std::thread::sleep(RESTORED_WITHIN);
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Takes the verdict that a run elsewhere is gone.
    fn lose(&mut self) -> Result<()> {
        self.lost = true;
        self.stopped = self.runner.tree.root().is_file(&self.run.task.dir().stop())?;
        if self.agent.is_none() {
            let at = self.runner.tree.clock().now();
            self.seen = Some(ObservedEnd { wait_status: None, at, stopped: self.stopped });
        }
        Ok(())
    }

    /// Removes the secrets of a run that was handed over, once it is claimed: its shim may have been killed before it
    /// did.
    fn remove_secrets(&mut self, facts: &RunFacts) -> Result<()> {
        if facts.claim.is_some() && !self.secrets_are_gone && !facts.info.executor.is_local() {
            launch_files::remove_secrets(self.runner.tree.root(), self.run.dir().path())?;
            self.secrets_are_gone = true;
        }
        Ok(())
    }

    /// Opens a handle on the agent while it lives. If the agent ended without its shim, reads how it ended.
    fn take_hold(&mut self, facts: &RunFacts) {
        let Some(agent) = facts.claim.as_ref().and_then(|claim| claim.agent) else { return };
        match facts.liveness {
            Liveness::Shim(_) | Liveness::Agent(_) if self.agent.is_none() => {
                self.agent = PidFd::open(agent).map(Arc::new);
            }
            Liveness::Gone if facts.exit.is_none() && self.seen.is_none() => {
                self.seen = self.agent.as_ref().map(|agent| ObservedEnd {
                    wait_status: orphan::exit_status(agent),
                    at: self.runner.tree.clock().now(),
                    stopped: self.stopped,
                });
            }
            _ => {}
        }
    }

    /// Follows the process that is expected to end next. Returns false if it has ended since the look.
    fn follow(&mut self, liveness: Liveness) -> bool {
        let (Liveness::Shim(id) | Liveness::Agent(id)) = liveness else {
            self.followed = None;
            return true;
        };
        if self.followed.as_ref().is_none_or(|f| f.id() != id) {
            self.followed = liveness.handle().map(Arc::new);
        }
        self.followed.is_some() || id.is_alive()
    }

    /// Stops the processes in place of the shim, if STOP exists. Returns true if anything changed.
    fn obey_stop(&mut self, facts: &RunFacts) -> Result<bool> {
        self.stopped = self.runner.tree.root().is_file(&self.run.task.dir().stop())?;
        if let (true, Some(claim)) = (self.stopped, &facts.claim) {
            orphan::end_processes(&self.run.run, claim, self.grace(&facts.info));
        }
        Ok(self.stopped)
    }

    /// Reacts to what the agent has printed. Returns the time until the next look without a hint.
    fn watch_output(&mut self, info: &RunInfo) -> Result<Option<Duration>> {
        let limit = self.watch_limit(info)?;
        if !self.events.may_have_ended() {
            return Ok(limit);
        }
        let settled = self.last_word.look(&self.runner, &self.run, info)?;
        Ok([limit, settled].into_iter().flatten().min())
    }

    /// Ends a run of a loop if its agent only waits for a usage limit. Returns the time until the next look without
    /// a hint.
    fn watch_limit(&mut self, info: &RunInfo) -> Result<Option<Duration>> {
        let refusal = limited::refusal(&self.runner, &self.run, info, self.events.refusals())?;
        let settings = refusal.as_ref().and_then(|_| self.settings(info));
        let of_loop = settings.filter(|(kind, _)| *kind == TaskKind::Task);
        let patience = of_loop.map(|(_, settings)| settings.limit_patience);
        self.limit.look(&self.runner, &self.run, refusal, patience)
    }

    /// Carries on the conversation of a run. Returns the time until the next look without a hint.
    fn converse(&mut self, info: &RunInfo, liveness: Liveness) -> Result<Option<Duration>> {
        // Without its shim the agent's input has ended.
        let process =
            if matches!(liveness, Liveness::Shim(_)) { Process::Running } else { Process::InputEnded };
        let settings = (info.protocol != Protocol::Exec).then(|| self.settings(info)).flatten();
        let silence = settings.and_then(|(_, settings)| settings.timeout);
        self.conversation.advance(&self.runner, info, process, silence)
    }

    fn grace(&self, info: &RunInfo) -> Duration {
        self.settings(info)
            .map_or(self.runner.config.defaults.stop_grace, |(_, settings)| settings.stop_grace)
    }

    /// The task's kind and its effective settings, as far as they can be read.
    fn settings(&self, info: &RunInfo) -> Option<(TaskKind, Defaults)> {
        let config = self.runner.tree.task_config(&info.task_ref()).ok()?;
        let all = self.runner.config_in(&cwd_of(info)).ok()?;
        let settings = TaskSettings::resolve(&all, all.agents.get(&info.agent)?, &config.config).ok()?;
        Some((config.kind, settings.defaults))
    }
}
