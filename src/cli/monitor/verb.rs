//! The verb itself: handles each item.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        attend::{self, Show},
        context::Context,
        error::{CliError, CliResult, Kind},
        flags::{JsonFlag, duration},
        interrupt::Interrupts,
        print::Form,
        submission::{NewProject, PlaceFlags, TaskSpec},
        table::Table,
    },
    todo::{self, Item},
};
use base::fsx;
use engine::{
    planner::Entry,
    runner::{self, ResumeRequest, Runner},
};
use tree::{TreeError, refs::TaskRef, task::TaskKind, task_end::EndStatus, ticket::TicketFolder};
use view::{
    scan::{self, Tickets},
    task::TaskStatus,
};

/// Maximum size of the list, in bytes.
const MAX_LIST: u64 = 4 * 1024 * 1024;

/// Flags of the verb.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each item `- [ ] TEXT` or `1. [ ] TEXT` becomes a task with TEXT as its prompt. monitor ticks the box when the task has \
completed. An item whose task failed or was stopped stays unticked and starts again only with --retry. Boxes in fenced \
code blocks are ignored. Ctrl-C stops the current item.

Exit code: 0 if every box is ticked, 1 if not, 130 if an item was stopped.

Examples:
  run-agent monitor TODO.md --dry-run
  run-agent monitor TODO.md --agent claude --retry
  run-agent monitor TODO.md --watch --interval 1m")]
pub struct Args {
    /// Markdown file with the TODO list
    #[arg(value_name = "FILE", default_value = "TODO.md")]
    file: PathBuf,
    #[command(flatten)]
    place: PlaceFlags,
    /// Run the agent once per item instead of looping until DONE
    #[arg(long)]
    job: bool,
    /// Retry items that failed or were stopped
    #[arg(long)]
    retry: bool,
    /// Keep running and wait for new items
    #[arg(long)]
    watch: bool,
    /// Interval between two looks for new items
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = interval)]
    interval: Duration,
    /// Show what would be done and change nothing
    #[arg(long, conflicts_with = "watch")]
    dry_run: bool,
    #[command(flatten)]
    pub(in super::super) json: JsonFlag,
    /// Program to run as the agent, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// An item and its status, one object of the printed list.
#[derive(Debug, Serialize)]
struct Row {
    item: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    ticked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<TaskStatus>,
    /// The folder that its agent works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
}

/// Works through the list.
pub(in super::super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let mut tried = HashSet::new();
    if !args.dry_run {
        loop {
            while let Some(item) = next(args, context, &runner, &tried)? {
                // A stop of the current item is meant for the whole list.
                if work(args, context, &runner, &item)? == Some(EndStatus::Stopped) {
                    print(args, context, &rows(args, context, &runner)?)?;
                    return Ok(attend::exit_code(EndStatus::Stopped));
                }
                tried.insert(item.text);
            }
            if !args.watch {
                break;
            }
            context.runtime()?.block_on(pause(args.interval))?;
        }
    }
    let rows = rows(args, context, &runner)?;
    let all = rows.iter().all(|row| row.ticked);
    print(args, context, &rows)?;
    Ok(if all || args.dry_run { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.code()) })
}

async fn pause(interval: Duration) -> CliResult<()> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        () = tokio::time::sleep(interval) => Ok(()),
        _ = interrupts.next() => Err(CliError::new(interrupts.kind(), "no longer waiting for new items")),
    }
}

fn read(args: &Args, context: &Context) -> CliResult<(PathBuf, String)> {
    let path = context.cwd()?.join(&args.file);
    let bytes = fsx::read_outside(&path, MAX_LIST).map_err(|e| {
        CliError::caused(Kind::NotFound, "cannot read the list", e)
            .with_hint("name it: run-agent monitor FILE")
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::new(Kind::Refused, format!("{} is not UTF-8 text", path.display())))?;
    Ok((path, text))
}

/// Returns the first item that can be worked on. Reads the list anew each time, because it may have been edited.
fn next(args: &Args, context: &Context, runner: &Runner, tried: &HashSet<String>) -> CliResult<Option<Item>> {
    let (_, text) = read(args, context)?;
    for item in todo::items(&text).into_iter().filter(|item| !item.done && !tried.contains(&item.text)) {
        let Some(task) = task_of(args, context, runner, &item)? else { continue };
        match standing(runner, &task)? {
            Some(TaskStatus::Failed | TaskStatus::Stopped | TaskStatus::Idle) if !args.retry => {}
            _ => return Ok(Some(item)),
        }
    }
    Ok(None)
}

fn task_of(args: &Args, context: &Context, runner: &Runner, item: &Item) -> CliResult<Option<TaskRef>> {
    let Some(task) = item.task() else { return Ok(None) };
    let project = args.place.project_or_own(context, runner)?;
    Ok(Some(TaskRef { project, task }))
}

/// Returns the status of an item's task; `None` if it has no task.
fn standing(runner: &Runner, task: &TaskRef) -> CliResult<Option<TaskStatus>> {
    match scan::task(&runner.tree, task, &Tickets::read(&runner.tree)?) {
        // A crash before acceptance left this folder. It counts as no task.
        Ok(entry) if entry.config.is_err() && entry.runs.is_empty() => Ok(None),
        // A loop without its driver, which has died: it is driven on, not resumed.
        Ok(entry) if entry.ticket == Some(TicketFolder::Live) => Ok(Some(TaskStatus::Running)),
        Ok(entry) => Ok(Some(entry.status)),
        Err(TreeError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Brings an item's task to its end, and ticks its box if the task is completed. Returns how the loop ended, if this
/// process drove it.
fn work(args: &Args, context: &Context, runner: &Runner, item: &Item) -> CliResult<Option<EndStatus>> {
    let Some(task) = task_of(args, context, runner, item)? else { return Ok(None) };
    let mut end = None;
    context.printer().word(&format!("item: {}", item.text))?;
    match standing(runner, &task)? {
        Some(TaskStatus::Completed) => {}
        None => {
            let wanted = TaskSpec {
                place: &args.place,
                kind: if args.job { TaskKind::Job } else { TaskKind::Task },
                task: Some(task.task.clone()),
                prompt: Some(item.text.clone()),
                command: &args.command,
                depends_on: Vec::new(),
                config: BTreeMap::new(),
                new_project: NewProject::Here,
            };
            let accepted = wanted.accept(context, runner)?;
            end =
                Some(attend::to_the_end(context, runner, accepted, Show::of(args.place.follow))?.end.status);
        }
        Some(TaskStatus::Failed | TaskStatus::Stopped | TaskStatus::Idle) => {
            let parent_run_id = args.place.parent(context, runner)?;
            let asked = ResumeRequest { parent_run_id, ..ResumeRequest::default() };
            let accepted = runner::resume(runner, &task, &asked, Entry::AtOnce)?;
            end =
                Some(attend::to_the_end(context, runner, accepted, Show::of(args.place.follow))?.end.status);
        }
        // The task has a driver, or had one: wait for it, and drive it if it has none any more.
        Some(_) => context.runtime()?.block_on(until_ended(context, runner, &task))?,
    }
    let status = standing(runner, &task)?;
    if status == Some(TaskStatus::Completed) {
        let (path, text) = read(args, context)?;
        tick(&path, &text, item)?;
    } else {
        let word = status.map_or("gone", TaskStatus::as_str);
        context.printer().word(&format!("not ticked: task {task} is {word}"))?;
    }
    Ok(end)
}

async fn until_ended(context: &Context, runner: &Runner, task: &TaskRef) -> CliResult<()> {
    let hints = context.hints(&runner.tree)?;
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let ended = attend::until_ended(runner, task, "run-agent monitor", &hints, &detach);
    tokio::pin!(ended);
    tokio::select! {
        result = &mut ended => Ok(result?),
        _ = interrupts.next() => {
            // Lets the loop that this process drives finish its current step.
            detach.cancel();
            ended.await?;
            Err(CliError::new(interrupts.kind(), "stopped waiting; the task continues"))
        }
    }
}

fn tick(path: &Path, text: &str, item: &Item) -> CliResult<()> {
    let new = todo::ticked(text, item);
    if new != text {
        fsx::replace_outside(path, new.as_bytes()).map_err(TreeError::from)?;
    }
    Ok(())
}

fn rows(args: &Args, context: &Context, runner: &Runner) -> CliResult<Vec<Row>> {
    let (_, text) = read(args, context)?;
    let row = |item: Item| {
        let task = task_of(args, context, runner, &item)?;
        let status = task.as_ref().map(|task| standing(runner, task)).transpose()?.flatten();
        let cwd = task.as_ref().and_then(|task| runner.tree.task_config(task).ok()?.cwd);
        let task = task.map(|task| task.to_string());
        Ok(Row { ticked: item.done, item: item.text, task, status, cwd })
    };
    todo::items(&text).into_iter().map(row).collect()
}

fn print(args: &Args, context: &Context, rows: &[Row]) -> CliResult<()> {
    if args.json.form() == Form::Json {
        return context.printer().json(&rows);
    }
    if rows.is_empty() {
        return context.printer().word("the list has no boxes");
    }
    let mut table = Table::new(&["DONE", "STATUS", "TASK", "ITEM"]);
    for row in rows {
        table.row([
            if row.ticked { "x" } else { "-" }.to_owned(),
            row.status.map_or("-", TaskStatus::as_str).to_owned(),
            row.task.clone().unwrap_or_else(|| "-".to_owned()),
            row.item.clone(),
        ]);
    }
    context.printer().table(&table)
}

fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than 0, such as 30s or 5m".to_owned()),
        interval => Ok(interval),
    }
}
