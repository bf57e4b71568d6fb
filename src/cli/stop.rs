//! `run-agent stop`: asks a task to stop, and waits until none of its processes is left.

use std::{process::ExitCode, time::Duration};

use serde::Serialize;
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
use engine::runner::{self, Runner};
use tree::refs::TaskRef;
use view::task::TaskStatus;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent stop my-project/my-task
  run-agent stop my-task --no-wait")]
pub struct Args {
    /// PROJECT/TASK, or a task id alone [default: the current task]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Return at once, without waiting for the task to end
    #[arg(long)]
    no_wait: bool,
    /// Stop waiting after this long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct JsonOutput {
    status: &'static str,
    tasks: Vec<String>,
}

/// Stops the task.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let task = References::of(context, &runner.tree).task(args.name.as_deref())?;
    if let Some(status) = runner::has_ended(&runner.tree, &task)? {
        return print_ended(args, context, &task, status);
    }
    let stopped = runner::request_stop(&runner.tree, &task)?;
    let status = if args.no_wait {
        "stopping"
    } else {
        context.runtime()?.block_on(until_ended(args, context, &runner, &stopped.tasks))?;
        "stopped"
    };
    let tasks: Vec<String> = stopped.tasks.iter().map(ToString::to_string).collect();
    if args.json.form() == Form::Json {
        context.printer().json(&JsonOutput { status, tasks })?;
    } else {
        context.printer().word(&format!("{status}: {}", tasks.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says that there was nothing to stop. That is no failure: the caller wants the task to be over, and it is.
fn print_ended(args: &Args, context: &Context, task: &TaskRef, status: TaskStatus) -> CliResult<ExitCode> {
    if args.json.form() == Form::Json {
        context.printer().json(&JsonOutput { status: "ended", tasks: Vec::new() })?;
    } else {
        context.printer().word(&format!("{task} has ended already: {}", status.as_str()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn until_ended(args: &Args, context: &Context, runner: &Runner, tasks: &[TaskRef]) -> CliResult<()> {
    let hints = context.hints(&runner.tree)?;
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let all = async {
        for task in tasks {
            attend::until_ended(runner, task, "run-agent stop", &hints, &detach).await?;
        }
        Ok(())
    };
    tokio::select! {
        result = all => result,
        _ = interrupts.next() => Err(CliError::new(Kind::Interrupted, "interrupted; the task was asked to stop")),
        () = tokio::time::sleep(args.timeout) => {
            Err(CliError::new(Kind::TimedOut, "the task has not ended yet; it was asked to stop"))
        }
    }
}
