//! `run-agent drive`: continues the tasks of a driver that died, until they have ended.

use std::{collections::HashSet, process::ExitCode};

use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    interrupt::Interrupts,
    reference::References,
};
use engine::runner::{LoopEnd, Runner, RunnerError};
use tree::{Holder, TreeError, refs::TaskRef, ticket::TicketFolder};
use view::{dependency::readable_tickets, watch::Hints};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent drive my-project/my-task
  run-agent drive --all")]
pub struct Args {
    /// Tasks to drive: PROJECT/TASK, or an id alone
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// Drive every waiting task that has no driver
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// The result of driving one task.
enum Outcome {
    Ended,
    /// The task needed no driver.
    Unwanted,
    HeldBy(Holder),
    Detached,
    Failed(CliError),
}

/// Drives the tasks, all at the same time.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let tasks = tasks(args, context, &runner)?;
    let unreadable = if args.all { unreadable_tickets(&runner)? } else { Vec::new() };
    if tasks.is_empty() && unreadable.is_empty() {
        context.printer().word("no task waits for a driver")?;
    }
    let outcomes = context.runtime()?.block_on(drive_all(context, &runner, &tasks))?;
    // The exit code reports the most important fact for a script: a failure first, then that we left, then that other
    // drivers hold tasks.
    let mut worst = None;
    for e in unreadable {
        let e = CliError::from(e);
        context.printer().word(&format!("a ticket cannot be driven: {}", e.chain()))?;
        worst = Some(e.kind());
    }
    for (task, outcome) in tasks.iter().zip(outcomes) {
        let (words, kind) = match outcome {
            Outcome::Ended => (format!("{task} has ended"), None),
            Outcome::Unwanted => (format!("{task} needs no driver"), None),
            Outcome::Detached => (format!("{task} continues"), Some(Kind::Interrupted)),
            Outcome::HeldBy(by) => (format!("{task} is driven by {by}"), Some(Kind::Conflict)),
            Outcome::Failed(e) => (format!("{task} cannot be driven: {}", e.chain()), Some(e.kind())),
        };
        context.printer().word(&words)?;
        let weight = |kind: &Kind| match kind {
            Kind::Conflict => 1,
            Kind::Interrupted => 2,
            _ => 3,
        };
        worst = worst.into_iter().chain(kind).max_by_key(weight);
    }
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.code())))
}

/// Returns the tasks to drive: the named ones, or all in the order of their acceptance.
fn tasks(args: &Args, context: &Context, runner: &Runner) -> CliResult<Vec<TaskRef>> {
    let mut tasks = Vec::new();
    if args.all {
        for place in [TicketFolder::Live, TicketFolder::Queue] {
            tasks.extend(readable_tickets(&runner.tree, place)?.into_iter().map(|(_, ticket)| ticket.task()));
        }
    } else {
        let references = References::of(context, &runner.tree);
        for name in &args.names {
            tasks.push(references.task(Some(name))?);
        }
    }
    // A task named twice would find its lock held by this very process.
    let mut seen = HashSet::new();
    tasks.retain(|task| seen.insert(task.clone()));
    Ok(tasks)
}

/// Returns the errors of the tickets that cannot be read, and whose tasks are therefore unknown.
fn unreadable_tickets(runner: &Runner) -> CliResult<Vec<TreeError>> {
    let mut errors = Vec::new();
    for place in [TicketFolder::Live, TicketFolder::Queue] {
        errors.extend(runner.tree.tickets(place)?.into_iter().filter_map(|file| file.ticket.err()));
    }
    Ok(errors)
}

async fn drive_all(context: &Context, runner: &Runner, tasks: &[TaskRef]) -> CliResult<Vec<Outcome>> {
    let hints = context.hints(&runner.tree)?;
    let detach = CancellationToken::new();
    let mut interrupts = Interrupts::listen()?;
    let all =
        futures_util::future::join_all(tasks.iter().map(|task| drive_one(runner, task, &hints, &detach)));
    tokio::pin!(all);
    loop {
        tokio::select! {
            outcomes = &mut all => return Ok(outcomes),
            // An interrupted `drive` only detaches, because the tasks were begun by others.
            _ = interrupts.next() => detach.cancel(),
        }
    }
}

async fn drive_one(runner: &Runner, task: &TaskRef, hints: &Hints, detach: &CancellationToken) -> Outcome {
    match daemon::take_over(runner, task, &daemon::holder("run-agent drive"), hints, detach).await {
        Ok(None) => Outcome::Unwanted,
        Ok(Some(LoopEnd::Ended { .. })) => Outcome::Ended,
        Ok(Some(LoopEnd::Detached)) => Outcome::Detached,
        Err(RunnerError::Tree(TreeError::Locked { by, .. })) => Outcome::HeldBy(by),
        Err(e) => Outcome::Failed(CliError::from(e)),
    }
}
