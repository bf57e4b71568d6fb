//! `run-agent replay`: replays a recorded run as a new one, for demos, tests and reports.

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Duration};

use super::{
    attend::{self, Show},
    bundle::open_bundle,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::{JsonFlag, duration},
    reference::References,
    submission::{NewProject, PlaceFlags, TaskSpec},
};
use agents::replay::{self, Recording};
use base::record::MAX_RECORD;
use config::Config;
use engine::runner::{self, Runner};
use tree::{
    Tree, TreeError,
    ids::{ProjectId, TaskId},
    refs::RunRef,
    task::TaskKind,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
replay creates a new run that prints the bytes of the recorded run at their original times and ends with its exit code \
or signal. It starts no agent and changes nothing in the working folder.

Examples:
  run-agent replay my-project/my-task --follow
  run-agent replay my-task --speed 10 --max-pause 2s
  run-agent replay bug-report.tar.gz --follow")]
pub struct Args {
    /// PROJECT/TASK for its latest run, PROJECT/TASK/RUN, an id alone, or a bundle (*.tar.gz)
    #[arg(value_name = "NAME")]
    name: String,
    /// Run of a bundle to replay [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Project of the new run [default: the project of the recorded run]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Task id of the new run [default: task-<date>-<time>-<first words of the prompt>]
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Playback speed: 2 is twice as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Shorten every longer pause to this, such as 2s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_pause: Option<Duration>,
    /// Show the output live on stderr
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Replays the run.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    if is_bundle(&args.name) {
        let bundle = open_bundle(context, Path::new(&args.name))?;
        let run = match &args.run {
            Some(run) => bundle.task().run(run.parse()?),
            None => References::of(context, &bundle.tree).run(Some(&bundle.task().to_string()))?,
        };
        return play(args, context, &runner, &bundle.tree, &run);
    }
    if args.run.is_some() {
        return Err(CliError::new(Kind::Usage, "--run works with a bundle only")
            .with_hint("name the run: PROJECT/TASK/RUN"));
    }
    let run = References::of(context, &runner.tree).run(Some(&args.name))?;
    let tree = runner.tree.clone();
    play(args, context, &runner, &tree, &run)
}

/// Returns true if a name means a bundle file and not something in the tree.
pub(super) fn is_bundle(name: &str) -> bool {
    [".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end))
}

fn play(args: &Args, context: &Context, runner: &Runner, from: &Tree, run: &RunRef) -> CliResult<ExitCode> {
    let recording = Recording::of(from, run)?;
    let prompt = from.root().read_opt(&run.task.dir().prompt(), MAX_RECORD).map_err(TreeError::from)?;
    let prompt = String::from_utf8_lossy(&prompt.unwrap_or_default()).into_owned();
    let prompt = if prompt.trim().is_empty() { format!("Replay of run {run}") } else { prompt };
    let place = PlaceFlags {
        project: Some(args.project.clone().unwrap_or_else(|| run.task.project.clone())),
        agent: Some(agent(&runner.config, &recording)),
        ..PlaceFlags::default()
    };
    let wanted = TaskSpec {
        place: &place,
        kind: TaskKind::Job,
        task: args.task.clone(),
        prompt: Some(prompt),
        command: &command(args, runner),
        depends_on: Vec::new(),
        config: BTreeMap::new(),
        new_project: NewProject::Homeless,
    };
    let accepted = wanted.accept(context, runner)?;
    let task = accepted.ticket.task();
    if let Err(e) = replay::copy(from, run, &recording, &runner.tree, &task) {
        // Nothing has started yet, and this process holds the lock. Without its recording the task can do nothing.
        runner::request_stop(&runner.tree, &task)?;
        return Err(e.into());
    }
    context.printer().word(&format!("replay of {run}"))?;
    attend::attend(context, runner, accepted, Show::of(args.follow), args.json.form())
}

fn command(args: &Args, runner: &Runner) -> Vec<String> {
    let program = runner.program.display().to_string();
    let mut words = vec![program, "replay-agent".to_owned(), "--speed".to_owned(), args.speed.to_string()];
    if let Some(pause) = args.max_pause {
        words.extend(["--max-pause".to_owned(), pause.as_millis().to_string()]);
    }
    words
}

/// Returns the agent that replays the recording: its own name or, if no agent here has that name, that of its type.
fn agent(config: &Config, recording: &Recording) -> String {
    let is_same = |name: &str| {
        config.agents.get(name).is_some_and(|a| a.agent_type.as_str() == recording.agent_type.as_str())
    };
    if is_same(&recording.agent) {
        return recording.agent.clone();
    }
    let named = config.agents.iter().find(|(_, a)| a.agent_type.as_str() == recording.agent_type.as_str());
    named.map_or_else(|| config.agent_types.any_program().as_str().to_owned(), |(name, _)| name.clone())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if speed.is_finite() && speed >= 0.01 { Ok(speed) } else { Err("it is not 0.01 or more".to_owned()) }
}
