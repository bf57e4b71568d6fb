//! The loop of a task (the Ralph loop): run, decide, and run again until the task is done.
//!
//! The state of the loop is in its ticket and in its runs' records, so any holder of the task's lock can continue it.
//! `restart` makes the decision; this file carries it out.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::runner::{
    Runner,
    accept::new_run::discard_unaccepted,
    agent::environment,
    attempt::{
        conversation,
        drive::{Begin, DriveEnd, drive},
    },
    error::Result,
    loops::{
        children::live_children,
        end_messages, limits, next_run,
        restart::{self, Counts, LoopFacts, Next, PastRun, Say},
    },
};
use base::blocking;
use config::TaskSettings;
use tree::{
    FsError,
    ids::TicketId,
    paths::top,
    run_info::{RunInfo, RunStatus},
    task::TaskKind,
    task_end::TaskEnd,
    task_lock::TaskLock,
    ticket::Ticket,
};
use view::watch::{Hints, Waiter};

/// Number of earlier runs that determine the delay before a restart.
const LOOK_BACK: usize = 20;

/// The end of a loop's drive.
#[derive(Debug)]
pub enum LoopEnd {
    /// The loop has ended.
    Ended {
        /// The recorded end.
        end: TaskEnd,
        /// Its last run.
        info: Box<RunInfo>,
    },
    /// The driver was told to detach; the next driver continues the loop.
    Detached,
}

/// Drives an admitted loop to its end. The lock guarantees that there is no other driver.
///
/// # Errors
/// If the tree cannot be read or written; a later drive continues.
pub async fn drive_loop(
    runner: &Runner,
    lock: &Arc<TaskLock>,
    id: &TicketId,
    ticket: Ticket,
    begin: Begin,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<LoopEnd> {
    let mut turn = Turn { runner: runner.clone(), lock: lock.clone(), id: id.clone(), ticket };
    let mut begin = begin;
    if begin == Begin::Resumed {
        turn = turn.discard_unaccepted_off_thread().await?;
    }
    loop {
        if let Some(until) = turn.ticket.not_before
            && wait_until(runner, lock, until, hints, detach).await? == Wait::Detached
        {
            return Ok(LoopEnd::Detached);
        }
        let DriveEnd::Ended(info) = drive(runner, lock, turn.ticket.run(), begin, hints, detach).await?
        else {
            return Ok(LoopEnd::Detached);
        };
        // A child's ticket is removed when the child ends. Watching starts before the decision, so that no removal is
        // missed.
        let [watched] = hints.watch_all([runner.tree.root().absolute(&top::live())]).await;
        let mut tickets = watched.waiter();
        loop {
            let next;
            (turn, next) = turn.decide_off_thread((*info).clone()).await?;
            match next {
                Decided::Ended(end) => return Ok(LoopEnd::Ended { end, info }),
                Decided::Again => break,
                Decided::AwaitChildren(until) => {
                    if wait_for_children(runner, until, &mut tickets, detach).await == Wait::Detached {
                        return Ok(LoopEnd::Detached);
                    }
                }
            }
        }
        begin = Begin::Fresh;
    }
}

/// The event that ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Look,
    Detached,
}

/// Maximum time between two looks at the clock while a restart waits. The clock may be set, and goes on while the machine
/// sleeps; a timer does neither.
const CLOCK: Duration = Duration::from_secs(30);

/// Waits for the time of a restart, but not longer than it is away now: a clock that is set back must not prolong the
/// wait. DONE and STOP end the wait, because the following start obeys them.
async fn wait_until(
    runner: &Runner,
    lock: &TaskLock,
    until: DateTime<Utc>,
    hints: &Hints,
    detach: &CancellationToken,
) -> Result<Wait> {
    let dir = lock.task().dir();
    let [watched] = hints.watch_all([runner.tree.root().absolute(dir.path())]).await;
    let mut waiter = watched.waiter();
    let by_clock = || (until - runner.tree.clock().now()).to_std().unwrap_or_default();
    let latest = Instant::now() + by_clock();
    loop {
        let left = by_clock().min(latest.saturating_duration_since(Instant::now()));
        let (root, [stop, done]) = (runner.tree.root().clone(), [dir.stop(), dir.done()]);
        let marked = blocking::run(move || Ok::<_, FsError>(root.is_file(&stop)? || root.is_file(&done)?));
        if left.is_zero() || marked.await? {
            return Ok(Wait::Look);
        }
        tokio::select! {
            () = detach.cancelled() => return Ok(Wait::Detached),
            () = tokio::time::sleep(left.min(CLOCK)) => {}
            () = waiter.next() => {}
        }
    }
}

/// Waits until a ticket is removed, which may be a child's.
async fn wait_for_children(
    runner: &Runner,
    until: DateTime<Utc>,
    tickets: &mut Waiter,
    detach: &CancellationToken,
) -> Wait {
    let left = (until - runner.tree.clock().now()).to_std().unwrap_or_default();
    tokio::select! {
        () = detach.cancelled() => Wait::Detached,
        () = tokio::time::sleep(left) => Wait::Look,
        () = tickets.next() => Wait::Look,
    }
}

/// One turn of the loop: a ticket, and the right to change it.
#[derive(Debug)]
struct Turn {
    runner: Runner,
    lock: Arc<TaskLock>,
    id: TicketId,
    ticket: Ticket,
}

/// The decision after a run, already carried out.
#[derive(Debug)]
enum Decided {
    Ended(TaskEnd),
    Again,
    AwaitChildren(DateTime<Utc>),
}

impl Turn {
    async fn decide_off_thread(mut self, info: RunInfo) -> Result<(Self, Decided)> {
        blocking::run(move || self.decide(&info).map(|decided| (self, decided))).await
    }

    async fn discard_unaccepted_off_thread(self) -> Result<Self> {
        blocking::run(move || {
            discard_unaccepted(&self.runner, self.lock.task(), Some(&self.ticket))?;
            Ok(self)
        })
        .await
    }

    fn decide(&mut self, info: &RunInfo) -> Result<Decided> {
        // An earlier driver may have got this far.
        if let Some(end) = self.runner.tree.task_end(self.lock.task())?.filter(|e| e.run_id == info.run_id) {
            return Ok(Decided::Ended(end));
        }
        match self.next(info)? {
            Next::AwaitChildren(until) => Ok(Decided::AwaitChildren(until)),
            Next::Finish { status, reason, say } => {
                let last = self.last_that_began(info);
                let end = TaskEnd {
                    version: 1,
                    status,
                    reason,
                    run_id: info.run_id.clone(),
                    attempt: last.attempt,
                    ended_at: self.runner.tree.clock().now(),
                };
                if say != Say::Nothing {
                    end_messages::post(&self.runner, &last, &end, say)?;
                }
                self.lock.write_end(&self.runner.tree, &end)?;
                Ok(Decided::Ended(end))
            }
            Next::Restart { not_before, counts, reason } => {
                let run = next_run::make_next_run(&self.runner, &self.lock, info)?;
                self.ticket.run_id = run.run;
                self.ticket.attempt += 1;
                self.ticket.restarts += u32::from(counts == Counts::Yes);
                self.ticket.not_before = Some(not_before);
                self.ticket.reason = Some(reason);
                self.runner.tree.update_ticket(&self.id, &self.ticket)?;
                Ok(Decided::Again)
            }
        }
    }

    fn next(&self, info: &RunInfo) -> Result<Next> {
        let tree = &self.runner.tree;
        let task = self.lock.task();
        let decided = tree.root().is_file(&task.dir().done())? || tree.root().is_file(&task.dir().stop())?;
        let config = match tree.task_config(task) {
            // A decision that was already made holds, whatever the settings were.
            Err(e) if decided && e.fault().is_some() => BTreeMap::new(),
            config => config?.config,
        };
        let all = self.runner.config_in(&environment::cwd_of(info))?;
        let agent = agents::find(&all, &info.agent)?;
        let settings = TaskSettings::resolve(&all, agent, &config)?;
        let past = self.past(info);
        let ended_at = info.ended_by(tree.clock().now());
        Ok(restart::next(&LoopFacts {
            kind: self.ticket.kind,
            agent: &info.agent,
            done: tree.root().is_file(&task.dir().done())?,
            // A stop in the run's inbox is meant for the task, too.
            stop: info.status == RunStatus::Stopped || tree.root().is_file(&task.dir().stop())?,
            past: &past.iter().map(past_run).collect::<Vec<_>>(),
            summary: info.error_summary.as_deref(),
            ended_at,
            now: tree.clock().now(),
            restarts: self.ticket.restarts,
            live_children: live_children(tree, task)?.len(),
            message_waits: self.ticket.kind == TaskKind::Session && conversation::message_waits(tree, task)?,
            brake: limits::hit(&self.runner, task, &settings.limits)?,
            cannot_heal: limits::cannot_heal(&past, &agents::how_to_sign_in(&info.agent, agent)),
            met_limit: limits::met_limit(&past, &settings.defaults, tree.clock().now()),
            settings: &settings.defaults,
        }))
    }

    /// Returns the run with the loop's answer: the last one, or the one before it if DONE or STOP came before the
    /// last one's start.
    fn last_that_began(&self, info: &RunInfo) -> RunInfo {
        let past = self.past(info);
        let began = past.into_iter().take(2).find(|run| run.pid.is_some());
        began.unwrap_or_else(|| info.clone())
    }

    /// Returns the last runs of this loop, newest first.
    fn past(&self, info: &RunInfo) -> Vec<RunInfo> {
        let mut past = vec![info.clone()];
        while past.len() < LOOK_BACK
            && let Some(previous) = past.last().and_then(RunInfo::previous_ref)
        {
            match self.runner.tree.run_info(&previous) {
                Ok(info) => past.push(info),
                // The run is deleted or unreadable; the runs before it do not matter then.
                Err(_) => break,
            }
        }
        past
    }
}

fn past_run(info: &RunInfo) -> PastRun {
    PastRun { status: info.status, took: info.took() }
}
