//! `run-agent version`: prints the version, and the licences of the program's parts.

use std::process::ExitCode;

use serde_json::json;

use super::{context::Context, error::CliResult, flags::JsonFlag, print::Form};

/// The texts that `--licenses` prints.
const LICENCES: [&str; 5] = [
    "run-agent is licensed under either of the MIT License and the Apache License 2.0, at your choice.\n\n",
    include_str!("../../LICENSE-MIT"),
    "\n",
    include_str!("../../LICENSE-APACHE"),
    include_str!("../../THIRD-PARTY-NOTICES"),
];

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent version
  run-agent version --licenses | less
  run-agent version --json")]
pub struct Args {
    /// Print the licences of run-agent and of all that it contains
    #[arg(long, conflicts_with = "json")]
    licenses: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Prints the version.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    if args.licenses {
        context.printer().bytes(LICENCES.concat().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let version = env!("CARGO_PKG_VERSION");
    match args.json.form() {
        Form::Json => context.printer().json(&json!({ "name": "run-agent", "version": version }))?,
        Form::Text => context.printer().line(&format!("run-agent {version}"))?,
    }
    Ok(ExitCode::SUCCESS)
}
