//! `run-agent job batch`: runs several jobs, one after the other.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use serde::{Deserialize, Serialize};

use super::{
    attend::{self, Attended, Show},
    context::Context,
    error::{CHECK_PATH, CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    submission::{NewProject, PlaceFlags, TaskSpec},
};
use base::{fsx, record::MAX_RECORD};
use engine::runner::Runner;
use tree::{ids::TaskId, task::TaskKind, task_end::EndStatus};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Each line of --file is one job. Only the prompt is required:
  {\"prompt\": \"Which tests are slow?\", \"task\": \"slow-tests\", \"agent\": \"claude\"}

Examples:
  run-agent job batch --prompt 'Look at src/' --prompt 'Look at tests/'
  run-agent job batch --task one --prompt 'First' --task two --prompt 'Second' --continue-on-fail
  run-agent job batch --file jobs.jsonl")]
pub struct Args {
    #[command(flatten)]
    place: PlaceFlags,
    /// Task id for each --prompt, in the same order; repeatable
    #[arg(long, value_name = "ID", requires = "prompt")]
    task: Vec<TaskId>,
    /// Prompt of one job; repeatable
    #[arg(long, value_name = "TEXT", required_unless_present = "file")]
    prompt: Vec<String>,
    /// File with one job per line, as JSON
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Continue with the next job when one fails
    #[arg(long)]
    continue_on_fail: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// One job of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    prompt: String,
    task: Option<TaskId>,
    agent: Option<String>,
}

/// The end of one job, one object of the printed list.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<EndStatus>,
    reason: String,
    /// The folder that its agent worked in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
}

/// Runs the jobs in their order, until one fails or all have ended.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let jobs = jobs(args)?;
    let runner = context.runner()?;
    let total = jobs.len();
    let (mut rows, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for (at, job) in jobs.into_iter().enumerate() {
        context.printer().word(&format!("job {} of {total}", at + 1))?;
        let (row, end) = one(args, context, &runner, job)?;
        rows.push(row);
        if end == Some(EndStatus::Completed) {
            continue;
        }
        code = attend::exit_code(end.unwrap_or(EndStatus::Failed));
        // A stop of one job is meant for the whole batch.
        if !args.continue_on_fail || end == Some(EndStatus::Stopped) {
            break;
        }
    }
    if args.json.form() == Form::Json {
        context.printer().json(&rows)?;
    } else {
        let completed = rows.iter().filter(|r| r.status == Some(EndStatus::Completed)).count();
        context.printer().word(&format!("{completed} of {total} jobs completed"))?;
    }
    Ok(code)
}

/// Runs one job. A job that is not accepted ends the batch, unless the batch continues on failures.
fn one(args: &Args, context: &Context, runner: &Runner, job: Job) -> CliResult<(Row, Option<EndStatus>)> {
    let place = PlaceFlags { agent: job.agent.or_else(|| args.place.agent.clone()), ..args.place.clone() };
    let wanted = TaskSpec {
        place: &place,
        kind: TaskKind::Job,
        task: job.task,
        prompt: Some(job.prompt),
        command: &[],
        depends_on: Vec::new(),
        config: BTreeMap::new(),
        new_project: NewProject::Here,
    };
    let accepted = match wanted.accept(context, runner) {
        Ok(accepted) => accepted,
        Err(e) if args.continue_on_fail => {
            context.printer().error(&e);
            return Ok((Row { task: None, status: None, reason: e.chain(), cwd: None }, None));
        }
        Err(e) => return Err(e),
    };
    let Attended { end, info, shown } =
        attend::to_the_end(context, runner, accepted, Show::of(place.follow))?;
    if args.json.form() == Form::Text {
        attend::print_answer(context, runner, Form::Text, &info, &end, &shown)?;
    }
    let task = info.task_ref();
    let row = Row {
        task: Some(task.to_string()),
        status: Some(end.status),
        reason: end.reason,
        cwd: info.cwd.clone(),
    };
    Ok((row, Some(end.status)))
}

fn jobs(args: &Args) -> CliResult<Vec<Job>> {
    if !args.task.is_empty() && args.task.len() != args.prompt.len() {
        let (tasks, prompts) = (args.task.len(), args.prompt.len());
        return Err(CliError::new(
            Kind::Usage,
            format!("{tasks} --task flags do not match {prompts} --prompt flags"),
        )
        .with_hint("give a --task for every --prompt, or none"));
    }
    let mut names = args.task.iter().cloned();
    let mut jobs: Vec<Job> =
        args.prompt.iter().map(|p| Job { prompt: p.clone(), task: names.next(), agent: None }).collect();
    if let Some(file) = &args.file {
        let bytes = fsx::read_outside(file, MAX_RECORD)
            .map_err(|e| CliError::caused(Kind::NotFound, "cannot read the jobs", e).with_hint(CHECK_PATH))?;
        for (at, line) in bytes.split(|b| *b == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let job = serde_json::from_slice(line).map_err(|e| {
                let place = format!("{} line {} is not a valid job", file.display(), at + 1);
                CliError::caused(Kind::Refused, place, e)
            })?;
            jobs.push(job);
        }
    }
    Ok(jobs)
}
