//! `run-agent why`: explains in one sentence why a task has its status, and names the files that prove it.

use std::process::ExitCode;

use serde::Serialize;

use super::{context::Context, error::CliResult, flags::JsonFlag, print::Form, reference::References};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent why my-project/my-task
  run-agent why my-task --json")]
pub struct Args {
    /// PROJECT/TASK, or a task id alone [default: the current task]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct JsonOutput {
    task: String,
    reason: String,
    files: Vec<String>,
}

/// Prints the sentence and the files.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let task = References::of(context, &runner.tree).task(args.name.as_deref())?;
    let reason = daemon::reason(&runner, &task)?;
    let files: Vec<String> = reason.files.iter().map(|f| f.display().to_string()).collect();
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&JsonOutput { task: task.to_string(), reason: reason.sentence, files })?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.line(&reason.sentence)?;
    for file in files {
        printer.line(&format!("  {file}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
