//! A message of a session on its way: the ticket that it needs, the wait for its turn, and the answer.

use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    approval, attend,
    context::Context,
    error::{CliError, CliResult, Kind},
    interrupt::Interrupts,
    print::Form,
};
use engine::{
    planner::Entry,
    runner::{self, Accepted, Begin, ResumeRequest, Runner, RunnerError},
};
use tree::{
    TreeError,
    kinds::{CommandOutcome, TurnEnd},
    refs::TaskRef,
    session::{LinePosition, OutcomeLine},
    task::TaskKind,
    ticket::TicketFolder,
};

/// Time for a driver to take a message.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// Pause between two looks for an outcome, which is a line of another process.
const LOOK: Duration = Duration::from_millis(20);
/// Largest answer that is printed.
const MAX_ANSWER: u64 = 64 << 20;

/// The event that ends the verb.
#[derive(Debug)]
pub(super) enum Wait {
    /// The session has the message.
    UntilTaken,
    /// The session is at rest. A session that this process has just accepted is driven by it, with its settings.
    UntilAnswered(Option<Box<Accepted>>),
}

/// The result of a message.
#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    session: String,
    /// The command of the message.
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a CommandOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<&'a TurnEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

/// Fails if a task is no session.
pub(super) fn must_be_session(runner: &Runner, task: &TaskRef) -> CliResult<()> {
    if runner.tree.task_config(task)?.kind == TaskKind::Session {
        return Ok(());
    }
    Err(CliError::new(Kind::Refused, format!("task {task} is no session: its agent takes one prompt a run"))
        .with_hint("`run-agent session new` starts a session"))
}

/// Waits for a message that is in commands.jsonl, drives the session while no other process does, and prints the result.
pub(super) fn attend(
    context: &Context,
    runner: &Runner,
    task: &TaskRef,
    key: &str,
    wait: Wait,
    form: Form,
) -> CliResult<ExitCode> {
    let outcome = match wait {
        Wait::UntilTaken => until_taken(runner, task, key)?,
        Wait::UntilAnswered(accepted) => {
            context.runtime()?.block_on(until_answered(context, runner, task, key, accepted.map(|a| *a)))?
        }
    };
    print(context, runner, task, key, outcome.as_ref(), form)?;
    let end = outcome.as_ref().map(|line| (&line.outcome, line.turn.as_ref()));
    Ok(match end {
        None
        | Some(
            (CommandOutcome::Queued | CommandOutcome::Sent, _)
            | (CommandOutcome::Done, None | Some(TurnEnd::Completed)),
        ) => ExitCode::SUCCESS,
        Some((CommandOutcome::Refused, _)) => ExitCode::from(Kind::Refused.code()),
        Some((CommandOutcome::Done, Some(TurnEnd::Interrupted))) => ExitCode::from(Kind::Interrupted.code()),
        Some(_) => ExitCode::from(Kind::Failed.code()),
    })
}

/// Returns the last outcome of a command.
fn outcome(runner: &Runner, task: &TaskRef, key: &str) -> CliResult<Option<OutcomeLine>> {
    let lines: Vec<OutcomeLine> =
        LinePosition::default().records(runner.tree.root(), &task.dir().outcomes())?;
    Ok(lines.into_iter().rfind(|line| line.command == key))
}

fn is_over(outcome: Option<&OutcomeLine>) -> bool {
    outcome.is_some_and(|line| line.outcome.is_final() || line.outcome == CommandOutcome::Held)
}

/// Creates the ticket for a session at rest. Returns `None` if another process did so at the same time.
fn wake(runner: &Runner, task: &TaskRef, entry: Entry) -> CliResult<Option<Accepted>> {
    match runner::resume(runner, task, &ResumeRequest::default(), entry) {
        Ok(accepted) => Ok(Some(accepted)),
        Err(RunnerError::Tree(TreeError::Exists { .. } | TreeError::Locked { .. })) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Waits until a driver has the message, or will find it: a driver that just ends does not.
fn until_taken(runner: &Runner, task: &TaskRef, key: &str) -> CliResult<Option<OutcomeLine>> {
    let until = std::time::Instant::now() + TAKEN_WITHIN;
    loop {
        let ticket = runner.tree.ticket_of(task)?;
        let outcome = outcome(runner, task, key)?;
        if outcome.is_some() || matches!(ticket, Some((_, TicketFolder::Queue, _))) {
            return Ok(outcome);
        }
        if ticket.is_none() {
            // The lock is dropped: whichever process drives the session takes it.
            drop(wake(runner, task, Entry::Queued)?);
        }
        if std::time::Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Waits until the session is at rest and the message is done or held. Drives the session while it has no other driver.
async fn until_answered(
    context: &Context,
    runner: &Runner,
    task: &TaskRef,
    key: &str,
    mut accepted: Option<Accepted>,
) -> CliResult<Option<OutcomeLine>> {
    let hints = context.hints(&runner.tree)?;
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let mut asks = Asks::default();
    let drive = async {
        loop {
            match accepted.take() {
                Some(Accepted { ticket_id, ticket, lock, .. }) => {
                    let ticket = (ticket_id, ticket);
                    let drive = daemon::drive_ticket(runner, lock, ticket, Begin::Fresh, &hints, &detach);
                    Box::pin(drive).await?;
                }
                None => attend::until_ended(runner, task, "run-agent send", &hints, &detach).await?,
            }
            let outcome = outcome(runner, task, key)?;
            if detach.is_cancelled() || is_over(outcome.as_ref()) {
                return CliResult::Ok(outcome);
            }
            // The driver before ended its loop just before the message was written.
            accepted = wake(runner, task, Entry::AtOnce)?;
            if accepted.is_none() {
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    tokio::pin!(drive);
    // The requests of an agent that another process drives.
    let _watched = hints.watch(&runner.tree.root().absolute(task.dir().path()));
    let mut waiter = hints.waiter();
    let outcome = loop {
        tokio::select! {
            outcome = &mut drive => break outcome?,
            _ = interrupts.next() => detach.cancel(),
            () = waiter.next() => asks.print(context, runner, task)?,
        }
    };
    if detach.is_cancelled() && !is_over(outcome.as_ref()) {
        let error = CliError::new(interrupts.kind(), "stopped waiting; the session continues");
        return Err(error.with_hint(format!(
            "`run-agent drive {task}` or a daemon continues it; `run-agent stop {task}` stops it"
        )));
    }
    Ok(outcome)
}

/// The requests of the agent that were printed.
#[derive(Debug, Default)]
struct Asks {
    /// The offset in the bus.
    next: u64,
}

impl Asks {
    /// Prints the requests that came since the last call.
    fn print(&mut self, context: &Context, runner: &Runner, task: &TaskRef) -> CliResult<()> {
        for message in approval::messages(runner, task, &mut self.next)? {
            let request = message.meta.get("request").unwrap_or_default();
            if approval::is_open(runner, task, request.as_str().unwrap_or_default())? {
                context.printer().word(&message.body)?;
            }
        }
        Ok(())
    }
}

fn print(
    context: &Context,
    runner: &Runner,
    task: &TaskRef,
    key: &str,
    outcome: Option<&OutcomeLine>,
    form: Form,
) -> CliResult<()> {
    let run = outcome.filter(|line| line.turn.is_some()).and_then(|line| line.run_id.clone());
    let output = match &run {
        Some(run) => {
            let path = task.run(run.clone()).dir().output();
            runner.tree.root().read_opt(&path, MAX_ANSWER).map_err(TreeError::from)?
        }
        None => None,
    };
    let printer = context.printer();
    if form == Form::Json {
        return printer.json(&JsonOutput {
            session: task.to_string(),
            command: key,
            outcome: outcome.map(|line| &line.outcome),
            turn: outcome.and_then(|line| line.turn.as_ref()),
            run_id: outcome.and_then(|line| line.run_id.as_ref()).map(ToString::to_string),
            reason: outcome.and_then(|line| line.reason.as_deref()),
            output: output.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        });
    }
    if let Some(output) = output {
        printer.foreign(&output)?;
        if !output.ends_with(b"\n") {
            printer.bytes(b"\n")?;
        }
    }
    printer.word(&sentence(task, outcome))
}

/// Says what has become of a message.
fn sentence(task: &TaskRef, outcome: Option<&OutcomeLine>) -> String {
    let Some(line) = outcome else {
        return format!("session {task} has the message; a daemon or `run-agent drive {task}` takes it");
    };
    let reason = line.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match (&line.outcome, &line.turn) {
        (CommandOutcome::Done, Some(TurnEnd::Interrupted)) => {
            format!("session {task}: the turn was interrupted{reason}")
        }
        (CommandOutcome::Done, Some(turn)) => format!("session {task}: the turn {turn}{reason}"),
        (CommandOutcome::Queued, _) => format!("session {task}: the message waits for its turn"),
        (CommandOutcome::Sent, _) => format!("session {task}: the agent has the message"),
        (outcome, _) => format!("session {task}: the message is {outcome}{reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_by_its_outcome() {
        let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
        let told = |text: &str| sentence(&task, Some(&serde_json::from_str(text).unwrap()));
        for (line, words) in [
            (r#"{"in":"c","outcome":"done","turn":"completed"}"#, "session p/t: the turn completed"),
            (
                r#"{"in":"c","outcome":"done","turn":"failed","reason":"no credit"}"#,
                "session p/t: the turn failed: no credit",
            ),
            (r#"{"in":"c","outcome":"held","reason":"why"}"#, "session p/t: the message is held: why"),
            (r#"{"in":"c","outcome":"sent"}"#, "session p/t: the agent has the message"),
        ] {
            assert_eq!(told(line), words);
        }
        assert!(sentence(&task, None).contains("run-agent drive p/t"));
    }
}
