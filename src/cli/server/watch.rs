//! `run-agent server watch`: waits until tasks have ended.

use std::{process::ExitCode, time::Duration};

use super::{client::Call, names, wait};
use crate::cli::{error::CliResult, flags::duration, print::Form};
use tree::ids::ProjectId;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent server watch my-project/build my-project/test
  run-agent server watch build test --project my-project")]
pub(super) struct Args {
    /// PROJECT/TASK, or task ids with --project
    #[arg(value_name = "TASK", required = true)]
    tasks: Vec<String>,
    /// Project of the tasks [default: $JRUN_PROJECT_ID, else the project of the working folder]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Stop waiting after this long, such as 10m [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

/// Waits for the tasks.
pub(super) fn run(args: &Args, call: &Call<'_>) -> CliResult<ExitCode> {
    let name = |name: &String| names::task(name, args.project.as_ref(), call);
    let tasks = args.tasks.iter().map(name).collect::<CliResult<Vec<_>>>()?;
    let ended = wait::until_ended(call, &tasks, args.timeout)?;
    if call.form == Form::Json {
        call.context.printer().json(&ended)?;
    } else {
        for task in &ended {
            call.context.printer().line(task["reason"].as_str().unwrap_or_default())?;
        }
    }
    Ok(wait::verdict(&ended))
}
