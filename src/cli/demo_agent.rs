//! `run-agent demo-agent`, hidden: the built-in agent, started by a shim like any other agent.

use std::{io::Read, process::ExitCode, time::Duration};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use agents::demo::{self, Assignment};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pause between two steps, in milliseconds
    #[arg(long, default_value_t = 120, value_name = "MS")]
    pace: u64,
}

/// Reads the prompt from standard input and works.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let failed = |text: &'static str| move |e: std::io::Error| CliError::caused(Kind::Failed, text, e);
    let mut prompt = Vec::new();
    std::io::stdin().read_to_end(&mut prompt).map_err(failed("cannot read the prompt"))?;
    let assignment = Assignment {
        prompt: String::from_utf8_lossy(&prompt).into_owned(),
        cwd: context.cwd()?,
        environment: context.environment().clone(),
        pace: Duration::from_millis(args.pace),
    };
    demo::main(&assignment, &mut std::io::stdout())
        .map_err(|e| CliError::caused(Kind::Failed, "the demo agent cannot work", e))?;
    Ok(ExitCode::SUCCESS)
}
