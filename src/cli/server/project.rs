//! `run-agent server project`: projects of a remote daemon.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::{client::Call, names::escaped};
use crate::cli::{
    amount,
    confirm::{Consent, YesFlag},
    error::{CliResult, Kind},
    gc,
    print::Form,
    table::Table,
};
use base::words::count;
use tree::ids::ProjectId;

/// Verbs for projects.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  run-agent server project list
  run-agent server project stats my-project")]
pub(super) enum Verb {
    /// List the projects
    #[command(after_help = "Examples:
  run-agent server project list")]
    List,
    /// Show the number and size of a project's tasks and runs
    #[command(after_help = "Examples:
  run-agent server project stats my-project")]
    Stats {
        /// Project id
        #[arg(value_name = "PROJECT")]
        project: ProjectId,
    },
    /// Remove old runs of a project; each task keeps its last run and last answer
    #[command(after_help = "Examples:
  run-agent server project gc my-project --dry-run
  run-agent server project gc my-project --older-than 30d --keep-failed")]
    Gc {
        /// Project id
        #[arg(value_name = "PROJECT")]
        project: ProjectId,
        /// Remove runs that ended longer ago than this; the unit is required: 12h, 30d
        #[arg(long, value_name = "TIME", default_value = "168h", value_parser = age)]
        older_than: String,
        /// Keep runs that did not succeed
        #[arg(long)]
        keep_failed: bool,
        /// Show what would be removed and remove nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        yes: YesFlag,
    },
    /// Delete a project with all its tasks
    #[command(after_help = "Examples:
  run-agent server project delete my-project
  run-agent server project delete my-project --force")]
    Delete {
        /// Project id
        #[arg(value_name = "PROJECT")]
        project: ProjectId,
        /// Stop the project's live tasks first
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        yes: YesFlag,
    },
}

/// Runs the verb.
pub(super) fn run(verb: &Verb, call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = match verb {
        Verb::List => return list(call),
        Verb::Stats { project } => call.client.get(&format!("/api/projects/{project}/stats"))?,
        Verb::Gc { project, older_than, keep_failed, dry_run, yes } => {
            let older_than = escaped(older_than);
            let query =
                format!("/api/projects/{project}/gc?older_than={older_than}&keep_failed={keep_failed}");
            let collect = |dry_run: bool| call.client.post(&format!("{query}&dry_run={dry_run}"), None);
            let required = if *dry_run { Ok(()) } else { yes.required(call.form) };
            if required.is_err() || (!dry_run && yes.asks(call.form)) {
                let would = collect(true)?;
                let number = |key: &str| would[key].as_u64().unwrap_or_default();
                if number("deleted_runs") == 0 {
                    call.context.printer().word("nothing is old enough to be removed")?;
                    return Ok(ExitCode::SUCCESS);
                }
                let runs = count(number("deleted_runs"), "old run");
                let size = amount::size(number("freed_bytes"));
                required.map_err(|e| e.with_hint(format!("add --yes to remove {runs}, {size}")))?;
                let question = format!("Remove {runs} of project {project}, {size}?");
                if yes.ask(call.context, call.form, &question)? == Consent::Refused {
                    return Ok(ExitCode::from(Kind::Failed.code()));
                }
            }
            collect(*dry_run)?
        }
        Verb::Delete { project, force, yes } => {
            if yes.asks(call.form) {
                let stats = call.client.get(&format!("/api/projects/{project}/stats"))?;
                let number = |key: &str| stats[key].as_u64().unwrap_or_default();
                let tasks = count(number("total_tasks"), "task");
                let runs = count(number("total_runs"), "run");
                let question = format!("Delete project {project} with {tasks}, {runs} and all answers?");
                if yes.ask(call.context, call.form, &question)? == Consent::Refused {
                    return Ok(ExitCode::from(Kind::Failed.code()));
                }
            }
            call.client.delete(&format!("/api/projects/{project}?force={force}"))?
        }
    };
    if call.form == Form::Json || answer.is_null() {
        call.context.printer().json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["WHAT", "HOW MUCH"]);
    for (name, value) in answer.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.row([name.clone(), value]);
    }
    call.context.printer().table(&table)?;
    Ok(ExitCode::SUCCESS)
}

/// Checks an age and returns its text, which the daemon parses.
fn age(text: &str) -> Result<String, String> {
    gc::age(text).map(|_| text.to_owned())
}

fn list(call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = call.client.get("/api/projects")?;
    if call.form == Form::Json {
        call.context.printer().json(&answer["projects"])?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["PROJECT", "TASKS", "LAST ACTIVITY", "FOLDER"]);
    for project in answer["projects"].as_array().into_iter().flatten() {
        let text = |key: &str| match &project[key] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        table.row([text("id"), text("task_count"), text("last_activity"), text("project_root")]);
    }
    call.context.printer().table(&table)?;
    Ok(ExitCode::SUCCESS)
}
