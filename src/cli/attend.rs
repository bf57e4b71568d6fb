//! Attends an accepted task: drives its loop to the end, obeys signals, and prints the result.

use std::{fmt::Display, process::ExitCode, time::Duration};

use chrono::{DateTime, Local, TimeDelta, TimeZone, Utc};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    interrupt::{Interrupts, SignalAction},
    log_follower::LogFollower,
    print::Form,
    shown_text::ShownText,
};
use engine::runner::{self, Accepted, Begin, LoopEnd, Runner, RunnerError};
use tree::{
    TreeError,
    ids::{ProjectId, RunId, TaskId, TicketId},
    paths::top,
    refs::TaskRef,
    run_info::{RunInfo, RunStatus},
    task::TaskKind,
    task_end::{EndStatus, TaskEnd},
    ticket::{Ticket, TicketFolder},
};
use view::{task::TaskStatus, watch::Hints};

/// A task that has not started after this time is reported as waiting.
const PATIENCE: Duration = Duration::from_millis(300);

/// A wait that is not announced as one: the next attempt begins before the user can act on it.
const SHORT_WAIT: TimeDelta = TimeDelta::seconds(10);

/// Time within which a driver releases its lock after the end of its task.
const LETS_GO: Duration = Duration::from_secs(1);

/// Selects if the agent's output is shown while the agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Output,
    Nothing,
}

impl Show {
    pub(super) fn of(follow: bool) -> Self {
        if follow { Self::Output } else { Self::Nothing }
    }
}

/// The result of a task.
#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    project_id: &'a ProjectId,
    task_id: &'a TaskId,
    run_id: &'a RunId,
    status: RunStatus,
    task_status: EndStatus,
    reason: &'a str,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_summary: Option<&'a str>,
    output: &'a str,
    /// The folder that the agent worked in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<&'a str>,
    run_folder: String,
}

/// Drives an accepted task to its end and prints its answer.
pub(super) fn attend(
    context: &Context,
    runner: &Runner,
    accepted: Accepted,
    show: Show,
    form: Form,
) -> CliResult<ExitCode> {
    let (task, kind) = (accepted.ticket.task(), accepted.ticket.kind);
    let Attended { end, info, shown } = to_the_end(context, runner, accepted, show)?;
    print_answer(context, runner, form, &info, &end, &shown)?;
    if kind == TaskKind::Task && form == Form::Text {
        let status = TaskStatus::from(end.status).as_str();
        context.printer().word(&format!("task {task} {status}: {}", end.reason))?;
    }
    Ok(exit_code(end.status))
}

/// A task that was attended to its end.
pub(super) struct Attended {
    pub(super) end: TaskEnd,
    /// Its last run.
    pub(super) info: Box<RunInfo>,
    /// The text that was shown of the last run.
    pub(super) shown: ShownText,
}

/// Drives an accepted task to its end.
pub(super) fn to_the_end(
    context: &Context,
    runner: &Runner,
    accepted: Accepted,
    show: Show,
) -> CliResult<Attended> {
    let run = accepted.ticket.run();
    let folder = runner.tree.root().absolute(run.dir().path());
    let works_in = runner.tree.run_info(&run).ok().and_then(|info| info.cwd);
    let works_in = works_in.map(|cwd| format!("\n  works in {cwd}")).unwrap_or_default();
    context.printer().word(&format!("{run}{works_in}\n  recorded in {}", folder.display()))?;
    context.runtime()?.block_on(watch_to_the_end(context, runner, accepted, show))
}

async fn watch_to_the_end(
    context: &Context,
    runner: &Runner,
    accepted: Accepted,
    show: Show,
) -> CliResult<Attended> {
    let hints = context.hints(&runner.tree)?;
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let task = accepted.ticket.task();
    let mut progress = Progress::new(context, runner, &accepted, show);
    let mut waiter = hints.waiter();
    let ticket = (accepted.ticket_id, accepted.ticket);
    let drive = daemon::drive_ticket(runner, accepted.lock, ticket, Begin::Fresh, &hints, &detach);
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(drive, patience);
    loop {
        tokio::select! {
            end = &mut drive => {
                progress.print_rest()?;
                return match end? {
                    LoopEnd::Ended { end, info } => {
                        let shown = progress.follower.map(LogFollower::into_shown).unwrap_or_default();
                        Ok(Attended { end, info, shown })
                    }
                    LoopEnd::Detached => Err(left(&interrupts, &task)),
                };
            }
            wish = interrupts.next() => act(wish, context, runner, &task, &detach)?,
            () = &mut patience, if progress.queue == Queue::NotLooked => progress.print_if_queued()?,
            () = waiter.next() => progress.print()?,
        }
    }
}

/// The error of a verb that leaves before the task has ended. It says what becomes of the task.
fn left(interrupts: &Interrupts, task: &TaskRef) -> CliError {
    if interrupts.asked_to_stop() {
        // The shim obeys STOP on its own, so the stop goes on without this process.
        CliError::new(interrupts.kind(), "left without waiting; the task is still being stopped").with_hint(
            format!("`run-agent drive {task}` waits for its end and records it; a daemon does so by itself"),
        )
    } else {
        CliError::new(interrupts.kind(), "stopped following; the task continues").with_hint(format!(
            "`run-agent drive {task}` continues it here; `run-agent stop {task}` stops it"
        ))
    }
}

/// Prints the progress of a task while it is attended.
struct Progress<'a> {
    context: &'a Context,
    runner: &'a Runner,
    id: TicketId,
    task: TaskRef,
    run: RunId,
    follower: Option<LogFollower>,
    queue: Queue,
}

/// The knowledge about the task's place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Queue {
    /// Nothing was printed, because a task usually starts at once.
    NotLooked,
    /// The task waits in the queue, for this printed reason.
    Waits(String),
    /// The task has left the queue.
    Left,
}

impl<'a> Progress<'a> {
    fn new(context: &'a Context, runner: &'a Runner, accepted: &Accepted, show: Show) -> Self {
        let run = accepted.ticket.run();
        let follower = (show == Show::Output).then(|| LogFollower::new(&runner.tree, &run));
        let id = accepted.ticket_id.clone();
        Self { context, runner, id, task: run.task, run: run.run, follower, queue: Queue::NotLooked }
    }

    /// Prints what is left of the output after the end of the loop.
    fn print_rest(&mut self) -> CliResult<()> {
        self.print()?;
        match &mut self.follower {
            Some(follower) => follower.print_rest(*self.context.printer()),
            None => Ok(()),
        }
    }

    /// Prints the new output of the agent and the news of the loop since the last call.
    fn print(&mut self) -> CliResult<()> {
        if let Some(follower) = &mut self.follower {
            follower.print(*self.context.printer())?;
        }
        if matches!(self.queue, Queue::Waits(_)) {
            self.print_if_queued()?;
        }
        let Some(ticket) = self.runner.tree.ticket(TicketFolder::Live, &self.id)? else { return Ok(()) };
        if ticket.run_id == self.run {
            return Ok(());
        }
        self.run = ticket.run_id.clone();
        if let Some(ended) = &mut self.follower {
            ended.print_rest(*self.context.printer())?;
            self.follower = Some(LogFollower::new(&self.runner.tree, &ticket.run()));
        }
        self.context.printer().word(&next_attempt(&ticket, self.context.clock().now(), &Local))
    }

    /// Prints why the task waits in the queue, whenever the reason has changed: a dependency may fail meanwhile.
    fn print_if_queued(&mut self) -> CliResult<()> {
        if self.runner.tree.ticket(TicketFolder::Queue, &self.id)?.is_none() {
            self.queue = Queue::Left;
            return Ok(());
        }
        let sentence = daemon::reason(self.runner, &self.task)?.sentence;
        let reason = Queue::Waits(sentence.clone());
        if self.queue == reason {
            return Ok(());
        }
        self.queue = reason;
        self.context.printer().word(&sentence)
    }
}

/// Announces the next attempt of a loop: its start, or the wait before it. The time is that of the user's clock,
/// because the user decides by it whether to stay.
fn next_attempt<Tz: TimeZone>(ticket: &Ticket, now: DateTime<Utc>, zone: &Tz) -> String
where
    Tz::Offset: Display,
{
    let (attempt, run) = (ticket.attempt, &ticket.run_id);
    let reason = ticket.reason.as_deref().unwrap_or("the task is not done");
    match ticket.not_before.filter(|until| *until - now > SHORT_WAIT) {
        None => format!("attempt {attempt} begins as run {run}: {reason}"),
        Some(until) => {
            let (until, now) = (until.with_timezone(zone), now.with_timezone(zone));
            let day = if until.date_naive() == now.date_naive() { "" } else { "%Y-%m-%d " };
            let form = format!("{day}%H:%M (UTC%:z)");
            let until = until.format(&form);
            format!(
                "the task waits until {until} for attempt {attempt}: {reason}; Ctrl-C stops the task; if you \
                 close the terminal, `run-agent drive {}` or a daemon continues it",
                ticket.task()
            )
        }
    }
}

/// Ctrl-C stops the task, and a second Ctrl-C ends only the wait for the stop. The end of the terminal leaves the task
/// running.
pub(super) fn act(
    wish: SignalAction,
    context: &Context,
    runner: &Runner,
    task: &TaskRef,
    detach: &CancellationToken,
) -> CliResult<()> {
    match wish {
        SignalAction::Stop => {
            runner::request_stop(&runner.tree, task)?;
            context.printer().word("stopping the task; press Ctrl-C again to leave without waiting for it")
        }
        SignalAction::Detach => {
            detach.cancel();
            Ok(())
        }
    }
}

/// Waits until the task has no ticket any more. Drives the task itself while it has no other driver.
pub(super) async fn until_ended(
    runner: &Runner,
    task: &TaskRef,
    who: &str,
    hints: &Hints,
    detach: &CancellationToken,
) -> runner::Result<()> {
    let root = runner.tree.root();
    let _watched = [top::queue(), top::live()].map(|folder| hints.watch(&root.absolute(&folder)));
    let mut waiter = hints.waiter();
    while runner.tree.ticket_of(task)?.is_some() && !detach.is_cancelled() {
        match daemon::take_over(runner, task, &daemon::holder(who), hints, detach).await {
            Ok(_) => return Ok(()),
            // Another driver holds the task and will end it.
            Err(RunnerError::Tree(TreeError::Locked { .. })) => {
                tokio::select! {
                    () = detach.cancelled() => return Ok(()),
                    () = waiter.next() => {}
                }
            }
            Err(e) => return Err(e),
        }
    }
    // The driver unlocks the task shortly after the ticket is gone. An unlock wakes no waiter, so poll: the next
    // command may need the lock.
    let began = tokio::time::Instant::now();
    while began.elapsed() < LETS_GO && runner.tree.is_driven(task)? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Prints the answer of a task's last run.
pub(super) fn print_answer(
    context: &Context,
    runner: &Runner,
    form: Form,
    info: &RunInfo,
    end: &TaskEnd,
    shown: &ShownText,
) -> CliResult<()> {
    let root = runner.tree.root();
    let dir = info.run_ref().dir();
    let output = root.read_opt(&dir.output(), 64 << 20).map_err(TreeError::from)?.unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let printer = context.printer();
    if form == Form::Json {
        return printer.json(&JsonOutput {
            project_id: &info.project_id,
            task_id: &info.task_id,
            run_id: &info.run_id,
            status: info.status,
            task_status: end.status,
            reason: &end.reason,
            attempt: end.attempt,
            exit_code: info.exit_code,
            signal: info.signal,
            error_summary: info.error_summary.as_deref(),
            output: &output,
            cwd: info.cwd.as_deref(),
            run_folder: root.absolute(dir.path()).display().to_string(),
        });
    }
    shown.print_answer(*printer, info.run_id.as_str(), &output)?;
    let summary = info.error_summary.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
    printer.word(&format!("run {} {}{summary}", info.run_id, info.status.as_str()))
}

/// The exit code for the end of a loop.
pub(super) fn exit_code(end: EndStatus) -> ExitCode {
    match end {
        EndStatus::Completed => ExitCode::SUCCESS,
        EndStatus::Stopped => ExitCode::from(Kind::Interrupted.code()),
        EndStatus::Failed => ExitCode::from(Kind::Failed.code()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    #[test]
    fn a_long_wait_is_announced_with_its_end_on_the_clock_of_the_user() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let ticket = |not_before: &str| Ticket {
            version: 1,
            project_id: "p".parse().unwrap(),
            task_id: "t".parse().unwrap(),
            run_id: "20260205-10000100001-1-0001".parse().unwrap(),
            kind: TaskKind::Task,
            parent_run_id: None,
            depends_on: Vec::new(),
            attempt: 2,
            restarts: 0,
            not_before: Some(at(not_before)),
            reason: Some("the usage limit of claude ends then".to_owned()),
        };
        let zone = FixedOffset::east_opt(2 * 3600).unwrap();
        for (until, words) in [
            (
                "2026-02-05T14:30:00Z",
                "the task waits until 16:30 (UTC+02:00) for attempt 2: the usage limit of claude",
            ),
            ("2026-02-05T22:30:00Z", "the task waits until 2026-02-06 00:30 (UTC+02:00) for attempt 2: "),
            ("2026-02-05T10:00:01Z", "attempt 2 begins as run 20260205-10000100001-1-0001: the usage limit"),
            ("2026-02-05T09:00:00Z", "attempt 2 begins as run "),
        ] {
            let said = next_attempt(&ticket(until), at("2026-02-05T10:00:00Z"), &zone);
            assert!(said.starts_with(words), "{said}");
        }
    }
}
