//! `run-agent replay-agent`, hidden: replays the recording of the task that it runs in.

use std::{process::ExitCode, time::Duration};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use agents::replay::{self, Pace};
use tree::refs::TaskRef;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Playback speed: 2 is twice as fast
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Shorten every longer pause to this, in milliseconds
    #[arg(long, value_name = "MS")]
    max_pause: Option<u64>,
    /// Arguments of the replaced agent, which are ignored
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<String>,
}

/// Replays the recording.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let variable = |name: &'static str| {
        let missing = || CliError::new(Kind::Usage, format!("${name} is not set: this is for a run's agent"));
        context.environment().get(name).ok_or_else(missing)
    };
    let task =
        TaskRef { project: variable("JRUN_PROJECT_ID")?.parse()?, task: variable("JRUN_TASK_ID")?.parse()? };
    let run = task.run(variable("JRUN_ID")?.parse()?);
    let pace = Pace { speed: args.speed, max_pause: args.max_pause.map(Duration::from_millis) };
    let root = std::path::Path::new(variable("CONDUCTOR_ROOT")?);
    let finale = replay::play(root, &run, pace, std::io::stdout(), std::io::stderr())?;
    Ok(ExitCode::from(finale.end()))
}
