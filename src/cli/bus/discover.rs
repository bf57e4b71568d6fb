//! `run-agent bus discover`: prints which bus the other verbs would use, and the reason.

use serde_json::json;

use super::target::{self, Target};
use crate::cli::{context::Context, error::CliResult, flags::JsonFlag, print::Form};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent bus discover
  run-agent bus discover --project my-project --task my-task")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Prints the path to stdout and the reason to stderr.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<()> {
    let found = args.target.discover(context)?;
    let (_, bus) = target::open(&found, context)?;
    let path = bus.path();
    let printer = context.printer();
    match args.json.form() {
        Form::Json => printer.json(&json!({
            "path": path,
            "root": found.root,
            "project_id": found.owner.project(),
            "task_id": found.owner.task(),
            "why": found.why.to_string(),
        })),
        Form::Text => {
            printer.line(&path.display().to_string())?;
            printer.word(&format!("the bus of {}, because of {}", found.owner, found.why))
        }
    }
}
