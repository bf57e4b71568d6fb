//! `run-agent resume`: resumes a task that has ended.

use std::process::ExitCode;

use serde::Serialize;

use super::{
    attend::{self, Show},
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    reference::References,
    submission::calling_run,
};
use engine::{
    planner::Entry,
    runner::{self, ResumeRequest},
};
use tree::task::TaskKind;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent resume my-project/my-task
  run-agent resume my-task --no-wait")]
pub struct Args {
    /// PROJECT/TASK, or a task id alone
    #[arg(value_name = "NAME")]
    name: String,
    /// Return at once; a daemon or `run-agent drive` runs the task
    #[arg(long)]
    no_wait: bool,
    /// Show what the agent says and does, live on stderr
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct JsonOutput {
    task: String,
    run_id: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
}

/// Resumes the task.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let task = References::of(context, &runner.tree).task(Some(&args.name))?;
    let parent_run_id = calling_run(context, &runner.tree)?;
    let asked = ResumeRequest { parent_run_id, ..Default::default() };
    let entry = if args.no_wait { Entry::Queued } else { Entry::AtOnce };
    let accepted = runner::resume(&runner, &task, &asked, entry).map_err(|e| {
        let is_session = runner.tree.task_config(&task).is_ok_and(|config| config.kind == TaskKind::Session);
        match CliError::from(e) {
            e if is_session && e.kind() == Kind::Refused => {
                e.with_hint(format!("`run-agent send {task} TEXT` sends one"))
            }
            e => e,
        }
    })?;
    if !args.no_wait {
        return attend::attend(context, &runner, accepted, Show::of(args.follow), args.json.form());
    }
    let run_id = accepted.ticket.run_id.to_string();
    let cwd = runner.tree.run_info(&accepted.ticket.run()).ok().and_then(|info| info.cwd);
    drop(accepted.lock);
    let reason = daemon::reason(&runner, &task)?.sentence;
    if args.json.form() == Form::Json {
        context.printer().json(&JsonOutput { task: task.to_string(), run_id, reason, cwd })?;
    } else {
        let works_in = cwd.map(|cwd| format!("\n  works in {cwd}")).unwrap_or_default();
        context.printer().word(&format!("{reason}{works_in}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
