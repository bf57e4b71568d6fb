//! `run-agent drive`: goes on with what a driver that died has left, until it has ended.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    interrupt::Interrupts,
    reference::References,
};
use crate::{
    daemon,
    runner::{LoopEnd, Runner, RunnerError},
    tree::{TreeError, refs::TaskRef, ticket::Place},
    view::dependency::readable_tickets,
    watch::Hints,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent drive my-project/my-task
  run-agent drive --all")]
pub struct Args {
    /// Tasks: PROJECT/TASK, or an id alone
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// Every task that is wanted and that nobody drives
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// What came of driving one task.
enum Outcome {
    Ended,
    /// There was nothing to drive.
    Unwanted,
    HeldBy(String),
    Detached,
}

/// Drives the tasks, all at the same time.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let references = References::new(&runner.tree, context.environment());
    let tasks = if args.all {
        let mut tasks = Vec::new();
        for place in [Place::Live, Place::Queue] {
            tasks.extend(readable_tickets(&runner.tree, place)?.into_iter().map(|(_, ticket)| ticket.task()));
        }
        tasks
    } else {
        args.names.iter().map(|name| references.task(Some(name))).collect::<CliResult<_>>()?
    };
    let outcomes = context.runtime()?.block_on(drive_all(context, &runner, &tasks))?;
    let mut held = false;
    for (task, outcome) in tasks.iter().zip(outcomes) {
        match outcome {
            Outcome::Ended => context.printer().word(&format!("{task} has ended"))?,
            Outcome::Unwanted => context.printer().word(&format!("{task} needs no driver"))?,
            Outcome::Detached => context.printer().word(&format!("{task} goes on"))?,
            Outcome::HeldBy(by) => {
                held = true;
                context.printer().word(&format!("{task} is driven by {by}"))?;
            }
        }
    }
    Ok(if held { ExitCode::from(Kind::Conflict.code()) } else { ExitCode::SUCCESS })
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
            outcomes = &mut all => return outcomes.into_iter().collect(),
            // Whoever drives what others began does not end it by going away.
            _ = interrupts.next() => detach.cancel(),
        }
    }
}

async fn drive_one(
    runner: &Runner,
    task: &TaskRef,
    hints: &Hints,
    detach: &CancellationToken,
) -> CliResult<Outcome> {
    match daemon::take_over(runner, task, &daemon::holder("run-agent drive"), hints, detach).await {
        Ok(None) => Ok(Outcome::Unwanted),
        Ok(Some(LoopEnd::Ended { .. })) => Ok(Outcome::Ended),
        Ok(Some(LoopEnd::Detached)) => Ok(Outcome::Detached),
        Err(RunnerError::Tree(TreeError::Locked { by, .. })) => Ok(Outcome::HeldBy(by)),
        Err(e) => Err(CliError::from(e)),
    }
}
