//! `run-agent watch`: waits until tasks have ended. Drives a task itself while it has no other driver.

use std::{process::ExitCode, time::Duration};

use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    attend,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::{JsonFlag, duration},
    interrupt::Interrupts,
    print::Form,
    reference::References,
};
use engine::runner::Runner;
use tree::{Tree, TreeError, refs::TaskRef, ticket::TicketFolder};
use view::{
    scan::{self, Tickets},
    task::TaskStatus,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 if every task completed, 1 if one did not, 124 on timeout.

Examples:
  run-agent watch
  run-agent watch my-project/build my-project/test --timeout 10m")]
pub struct Args {
    /// PROJECT/TASK, or task ids alone [default: all queued and live tasks]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Stop waiting after this long, such as 10m [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The end of a task, one object of the printed list.
#[derive(Debug, Serialize)]
struct Row {
    task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<TaskStatus>,
    reason: String,
}

/// Waits for the tasks and prints how each of them ended.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let tasks = tasks(args, context, &runner.tree)?;
    context.runtime()?.block_on(until_all_ended(args, context, &runner, &tasks))?;
    let rows = tasks.iter().map(|task| row(&runner, task)).collect::<CliResult<Vec<_>>>()?;
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&rows)?;
    } else {
        for row in &rows {
            printer.line(&row.reason)?;
        }
    }
    let all = rows.iter().all(|r| r.status == Some(TaskStatus::Completed));
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.code()) })
}

fn tasks(args: &Args, context: &Context, tree: &Tree) -> CliResult<Vec<TaskRef>> {
    let references = References::of(context, tree);
    let mut tasks: Vec<TaskRef> = Vec::new();
    for name in &args.names {
        let task = references.task(Some(name))?;
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }
    if args.names.is_empty() {
        for place in [TicketFolder::Queue, TicketFolder::Live] {
            for ticket in tree.tickets(place)?.into_iter().filter_map(|f| f.ticket.ok()) {
                if !tasks.contains(&ticket.task()) {
                    tasks.push(ticket.task());
                }
            }
        }
    }
    Ok(tasks)
}

async fn until_all_ended(
    args: &Args,
    context: &Context,
    runner: &Runner,
    tasks: &[TaskRef],
) -> CliResult<()> {
    let hints = context.hints(&runner.tree)?;
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let mut waits = JoinSet::new();
    for task in tasks {
        let (task, runner) = (task.clone(), runner.clone());
        let (hints, detach) = (hints.clone(), detach.clone());
        waits.spawn(
            async move { attend::until_ended(&runner, &task, "run-agent watch", &hints, &detach).await },
        );
    }
    let deadline = async {
        match args.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(deadline);
    let ended = loop {
        tokio::select! {
            wait = waits.join_next() => match wait {
                None => break Ok(()),
                Some(Ok(result)) => result?,
                Some(Err(e)) => std::panic::resume_unwind(e.into_panic()),
            },
            // An interrupted `watch` stops waiting; the tasks continue.
            _ = interrupts.next() => break Err(CliError::new(interrupts.kind(), "stopped waiting; the tasks continue")),
            () = &mut deadline => break Err(CliError::new(Kind::TimedOut, "not all tasks have ended")),
        }
    };
    detach.cancel();
    // Lets each loop that this process drives finish a write that has begun.
    while waits.join_next().await.is_some() {}
    ended
}

fn row(runner: &Runner, task: &TaskRef) -> CliResult<Row> {
    let status = match scan::task(&runner.tree, task, &Tickets::read(&runner.tree)?) {
        Ok(entry) => entry.status,
        Err(TreeError::NotFound { .. }) => {
            return Ok(Row {
                task: task.to_string(),
                status: None,
                reason: format!("task {task} was deleted"),
            });
        }
        Err(e) => return Err(e.into()),
    };
    let reason = daemon::reason(runner, task)?.sentence;
    Ok(Row { task: task.to_string(), status: Some(status), reason })
}
