//! `run-agent server task`: tasks of a remote daemon.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    client::Call,
    names::{TaskName, project_path, task_path},
    wait,
};
use crate::cli::{
    confirm::{Consent, YesFlag},
    error::{CliError, CliResult, Kind},
    print::Form,
    table::Table,
};
use tree::{ids::ProjectId, refs::TaskRef};

/// Verbs for tasks.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  run-agent server task list --project my-project
  run-agent server task logs my-project/my-task --follow")]
pub(super) enum Verb {
    /// List the tasks of a project or of all projects
    #[command(after_help = "Examples:
  run-agent server task list
  run-agent server task list --project my-project --json")]
    List {
        /// List only the tasks of this project [default: all projects]
        #[arg(long, value_name = "ID")]
        project: Option<ProjectId>,
    },
    /// Show the status of a task and the reason for it
    #[command(after_help = "Examples:
  run-agent server task status my-project/my-task")]
    Status(TaskName),
    /// List the runs of a task, newest first
    #[command(after_help = "Examples:
  run-agent server task runs my-project/my-task")]
    Runs(TaskName),
    /// Print the log of a task's latest run
    #[command(after_help = "Examples:
  run-agent server task logs my-project/my-task
  run-agent server task logs my-task --project my-project --follow")]
    Logs {
        #[command(flatten)]
        task: TaskName,
        /// Keep printing until the run has ended
        #[arg(long, short)]
        follow: bool,
    },
    /// Stop a task and its child tasks
    #[command(after_help = "Examples:
  run-agent server task stop my-project/my-task")]
    Stop(TaskName),
    /// Resume a task that has ended
    #[command(after_help = "Examples:
  run-agent server task resume my-project/my-task")]
    Resume(TaskName),
    /// Delete a task that has ended, with all its runs and answers
    #[command(after_help = "Examples:
  run-agent server task delete my-project/my-task")]
    Delete {
        #[command(flatten)]
        task: TaskName,
        #[command(flatten)]
        yes: YesFlag,
    },
}

/// Runs the verb.
pub(super) fn run(verb: &Verb, call: &Call<'_>) -> CliResult<ExitCode> {
    match verb {
        Verb::List { project } => list(project.as_ref(), call),
        Verb::Status(name) => status(&name.resolve(call)?, call),
        Verb::Runs(name) => runs(&name.resolve(call)?, call),
        Verb::Logs { task, follow } => logs(&task.resolve(call)?, *follow, call),
        Verb::Stop(name) => {
            let task = name.resolve(call)?;
            let answer = call.client.delete(&task_path(&task))?;
            let what = match answer["status"].as_str() {
                Some("ended") => "has ended already",
                Some("cancelling") => "was asked to stop, and has not ended yet",
                _ => "cancelled",
            };
            said(call, &task, what, answer)
        }
        Verb::Resume(name) => {
            let task = name.resolve(call)?;
            said(call, &task, "resumed", call.client.post(&format!("{}/resume", project_path(&task)), None)?)
        }
        Verb::Delete { task, yes } => {
            let task = task.resolve(call)?;
            let question = format!("Delete task {task} with all its runs and answers?");
            if yes.ask(call.context, call.form, &question)? == Consent::Refused {
                return Ok(ExitCode::from(Kind::Failed.code()));
            }
            said(call, &task, "deleted", call.client.delete(&project_path(&task))?)
        }
    }
}

fn said(call: &Call<'_>, task: &TaskRef, what: &str, answer: Value) -> CliResult<ExitCode> {
    if call.form == Form::Json {
        let answer = if answer.is_null() { json!({ "status": what }) } else { answer };
        call.context.printer().json(&answer)?;
    } else {
        let works_in = answer["cwd"].as_str().map(|cwd| format!("\n  works in {cwd}")).unwrap_or_default();
        call.context.printer().word(&format!("task {task}: {what}{works_in}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(project: Option<&ProjectId>, call: &Call<'_>) -> CliResult<ExitCode> {
    let query = project.map(|p| format!("?project_id={p}")).unwrap_or_default();
    let answer = call.client.get(&format!("/api/v1/tasks{query}"))?;
    let tasks = answer["tasks"].as_array().cloned().unwrap_or_default();
    if call.form == Form::Json {
        call.context.printer().json(&tasks)?;
    } else {
        print(call, &tasks)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a table of tasks.
pub(super) fn print(call: &Call<'_>, tasks: &[Value]) -> CliResult<()> {
    let mut table = Table::new(&["TASK", "STATUS", "AGENT", "RUNS", "LAST ACTIVITY", "WHY"]);
    for task in tasks {
        let text = |key: &str| task[key].as_str().unwrap_or("-").to_owned();
        table.row([
            format!("{}/{}", text("project_id"), text("task_id")),
            text("status"),
            text("agent_type"),
            task["runs"].as_array().map_or(0, Vec::len).to_string(),
            text("last_activity"),
            text("reason"),
        ]);
    }
    call.context.printer().table(&table)
}

fn status(task: &TaskRef, call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = call.client.get(&task_path(task))?;
    if call.form == Form::Json {
        call.context.printer().json(&answer)?;
    } else {
        call.context.printer().line(answer["reason"].as_str().unwrap_or_default())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn runs(task: &TaskRef, call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = call.client.get(&task_path(task))?;
    if call.form == Form::Json {
        call.context.printer().json(&answer["runs"])?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["RUN", "STATUS", "EXIT", "STARTED", "ENDED"]);
    for run in answer["runs"].as_array().into_iter().flatten() {
        let text = |key: &str| match &run[key] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        table.row([text("run_id"), text("status"), text("exit_code"), text("start_time"), text("end_time")]);
    }
    call.context.printer().table(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn logs(task: &TaskRef, follow: bool, call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = call.client.get(&task_path(task))?;
    let run = answer["runs"][0]["run_id"].as_str();
    let run = run.ok_or_else(|| CliError::new(Kind::NotFound, format!("task {task} has no run yet")))?;
    if follow {
        wait::show_log(call, run)?;
    } else {
        let path = format!("{}/runs/{run}/file?name=stdout", project_path(task));
        let answer = call.client.get(&path)?;
        call.context.printer().foreign(answer["content"].as_str().unwrap_or_default().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
