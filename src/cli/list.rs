//! `run-agent list`: lists the content of the tree with its status.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    context::Context,
    error::CliResult,
    flags::JsonFlag,
    print::Form,
    reference::{Named, References},
    table::Table,
};
use base::clock::rfc3339;
use tree::{
    Tree,
    ids::{ProjectId, RunId, TaskId},
    refs::TaskRef,
    run_info::RunStatus,
};
use view::{
    scan::{self, RunEntry, TaskEntry, Tickets},
    task::TaskStatus,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent list
  run-agent list my-project --status running
  run-agent list my-project/my-task --json")]
pub struct Args {
    /// PROJECT for its tasks, PROJECT/TASK for its runs [default: the tasks of all projects]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Show only tasks, or runs, with this status
    #[arg(long, value_name = "STATUS", value_parser = STATUSES, hide_possible_values = true)]
    status: Option<String>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The words for the status of a task, of a run, or of both.
const STATUSES: [&str; 9] =
    ["blocked", "completed", "crashed", "created", "failed", "idle", "queued", "running", "stopped"];

/// A task, one object of the list.
#[derive(Debug, Serialize)]
struct TaskRow {
    project_id: ProjectId,
    task_id: TaskId,
    status: TaskStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    run_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity: Option<String>,
    /// True if its folder or one of its markers cannot be read; `errors` has the reason.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreadable: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// A run, one object of the list.
#[derive(Debug, Serialize)]
struct RunRow {
    run_id: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<RunStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Prints the list.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    if args.name.is_none() && !context.names_root()? && context.lacks_root()? {
        // Before the first task the usual root does not exist, and its name cannot be mistyped.
        return print_tasks(args, context, &[], &[]);
    }
    let tree = context.tree()?;
    let references = References::of(context, &tree);
    let projects = match args.name.as_deref() {
        None => tree.projects()?,
        // A project is tried first, because this verb is mostly given the name of one.
        Some(name) => match references
            .project(Some(name))
            .map_or_else(|_| references.named(name), |p| Ok(Named::Project(p)))?
        {
            Named::Project(project) => vec![project],
            Named::Task(task) | Named::Run(tree::refs::RunRef { task, .. }) => {
                return runs(args, context, &tree, &task);
            }
        },
    };
    tasks(args, context, &tree, projects)
}

fn tasks(args: &Args, context: &Context, tree: &Tree, projects: Vec<ProjectId>) -> CliResult<ExitCode> {
    let tickets = Tickets::read(tree)?;
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for project in projects {
        let tasks = match tree.tasks(&project) {
            // One folder that cannot be read must not hide the other projects.
            Err(e) if let Some(fault) = e.lasting_fault() => {
                unreadable.push(format!("project {project}: {} {}", fault.path.display(), fault.problem));
                continue;
            }
            tasks => tasks?,
        };
        for task in tasks {
            let entry = scan::task(tree, &TaskRef { project: project.clone(), task }, &tickets)?;
            if args.status.as_deref().is_none_or(|s| s == entry.status.as_str()) {
                rows.push(task_row(entry));
            }
        }
    }
    print_tasks(args, context, &rows, &unreadable)
}

fn print_tasks(
    args: &Args,
    context: &Context,
    rows: &[TaskRow],
    unreadable: &[String],
) -> CliResult<ExitCode> {
    let printer = context.printer();
    for error in unreadable {
        printer.word(&format!("warning: {error}"))?;
    }
    if args.json.form() == Form::Json {
        printer.json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["TASK", "STATUS", "AGENT", "RUNS", "LAST ACTIVITY"]);
    for row in rows {
        table.row([
            format!("{}/{}", row.project_id, row.task_id),
            row.status.as_str().to_owned(),
            row.agent.clone().unwrap_or_else(|| "-".to_owned()),
            row.run_count.to_string(),
            row.last_activity.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if rows.is_empty() {
        printer.word("no tasks")?;
    } else {
        printer.table(&table)?;
    }
    for error in rows.iter().flat_map(|r| &r.errors) {
        printer.word(&format!("warning: {error}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn task_row(entry: TaskEntry) -> TaskRow {
    let run_errors = entry.runs.iter().filter_map(|r| r.record.as_ref().err().map(ToString::to_string));
    let of_config = match &entry.unreadable {
        // The settings of an unreadable folder cannot be read for the same reason.
        Some(why) => Some(format!("task {} cannot be read: {why}", entry.task)),
        None => entry.config.as_ref().err().map(ToString::to_string),
    };
    let errors = of_config.into_iter().chain(run_errors).collect();
    TaskRow {
        project_id: entry.task.project,
        task_id: entry.task.task,
        status: entry.status,
        agent: entry.config.ok().map(|c| c.agent),
        run_count: entry.runs.len(),
        last_activity: entry.last_activity.map(short),
        unreadable: entry.unreadable.is_some(),
        errors,
    }
}

fn runs(args: &Args, context: &Context, tree: &Tree, task: &TaskRef) -> CliResult<ExitCode> {
    let entry = scan::task(tree, task, &Tickets::read(tree)?)?;
    let rows: Vec<RunRow> = entry
        .runs
        .into_iter()
        .map(run_row)
        .filter(|row| args.status.as_deref().is_none_or(|s| row.status.is_some_and(|r| r.as_str() == s)))
        .collect();
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["RUN", "STATUS", "AGENT", "STARTED", "ENDED", "WHY"]);
    let dash = || "-".to_owned();
    for row in rows {
        table.row([
            row.run_id.to_string(),
            row.status.map_or("unreadable", RunStatus::as_str).to_owned(),
            row.agent.unwrap_or_else(dash),
            row.start_time.unwrap_or_else(dash),
            row.end_time.unwrap_or_else(dash),
            row.error_summary.or(row.error).unwrap_or_else(dash),
        ]);
    }
    printer.table(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn run_row(entry: RunEntry) -> RunRow {
    let RunEntry { run, record, .. } = entry;
    let empty = RunRow {
        run_id: run.run,
        status: None,
        agent: None,
        start_time: None,
        end_time: None,
        exit_code: None,
        error_summary: None,
        error: None,
    };
    match record {
        Ok((info, status)) => RunRow {
            status: Some(status),
            agent: Some(info.agent),
            start_time: (status != RunStatus::Created).then(|| short(info.start_time)),
            end_time: info.end_time.map(short),
            exit_code: info.exit_code,
            error_summary: info.error_summary,
            ..empty
        },
        Err(e) => RunRow { error: Some(e.to_string()), ..empty },
    }
}

fn short(at: DateTime<Utc>) -> String {
    rfc3339(at)
}
