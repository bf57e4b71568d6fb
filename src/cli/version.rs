//! `run-agent version`.

use std::process::ExitCode;

use serde_json::json;

use super::{context::Context, error::CliResult, flags::JsonFlag, print::Form};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Prints the version.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    match args.json.form() {
        Form::Json => context.printer().json(&json!({ "name": "run-agent", "version": version }))?,
        Form::Text => context.printer().line(&format!("run-agent {version}"))?,
    }
    Ok(ExitCode::SUCCESS)
}
