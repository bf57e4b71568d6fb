//! `run-agent gc`: removes old runs, and says what it freed.

use std::{process::ExitCode, time::Duration};

use chrono::TimeDelta;
use serde::Serialize;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    reference::References,
    table::Table,
};
use crate::{
    config,
    runner::{self, Failed, Old, Policy, Scope},
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).multiple(true).args(["older_than", "keep"]),
    after_help = "\
Nothing goes of a task that is queued, live or running, or that such a task needs, and never a task's last run.

Examples:
  run-agent gc --older-than 168h --dry-run
  run-agent gc --older-than 30d --keep 5 --keep-failed
  run-agent gc --project my-project --older-than 90d --tasks"
)]
pub struct Args {
    /// Runs that ended longer ago, such as 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
    /// All but the latest N runs of each task; with --older-than those that are older, too
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Only of this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Leave runs that did not succeed
    #[arg(long)]
    keep_failed: bool,
    /// Whole tasks too, where all their runs are old
    #[arg(long, requires = "older_than")]
    tasks: bool,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// What went, or would go.
#[derive(Debug, Default, Serialize)]
struct Answer {
    dry_run: bool,
    freed_bytes: u64,
    removed: Vec<Removed>,
    failures: Vec<String>,
}

/// One thing that went.
#[derive(Debug, Serialize)]
struct Removed {
    name: String,
    kind: &'static str,
    bytes: u64,
}

/// Removes what is old.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let projects = match &args.project {
        Some(name) => vec![References::new(&runner.tree, context.environment()).project(Some(name))?],
        None => runner.tree.projects()?,
    };
    let policy = policy(args, context)?;
    let mut answer = Answer { dry_run: args.dry_run, ..Answer::default() };
    for project in projects {
        for (old, bytes) in runner::old(&runner.tree, &project, &policy)? {
            let (name, kind) = match &old {
                Old::Run(run) => (run.to_string(), "run"),
                Old::Task(task) => (task.to_string(), "task"),
            };
            let gone = if args.dry_run { Ok(true) } else { runner::collect(&runner, &old, &policy) };
            match gone {
                Ok(true) => {
                    answer.freed_bytes += bytes;
                    answer.removed.push(Removed { name, kind, bytes });
                }
                // Somebody has taken it up again.
                Ok(false) => {}
                Err(e) => answer.failures.push(format!("{name}: {}", CliError::from(e).chain())),
            }
        }
    }
    print(args, context, &answer)?;
    if answer.failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(Kind::Failed.code()))
}

fn policy(args: &Args, context: &Context) -> CliResult<Policy> {
    let now = context.clock().now();
    let age = TimeDelta::from_std(args.older_than.unwrap_or_default()).ok();
    let before = age.and_then(|age| now.checked_sub_signed(age)).ok_or_else(|| {
        CliError::new(Kind::Usage, "--older-than lies before all time")
            .with_hint("name a shorter time, such as 30d")
    })?;
    Ok(Policy {
        before,
        keep: args.keep.unwrap_or(1),
        failed: if args.keep_failed { Failed::Keep } else { Failed::Collect },
        scope: if args.tasks { Scope::Tasks } else { Scope::Runs },
    })
}

fn print(args: &Args, context: &Context, answer: &Answer) -> CliResult<()> {
    let printer = context.printer();
    if args.json.form() == Form::Json {
        return printer.json(answer);
    }
    for failure in &answer.failures {
        printer.word(&format!("not removed: {failure}"))?;
    }
    if answer.removed.is_empty() {
        return printer.word("nothing is that old");
    }
    let mut table = Table::new(&["WHAT", "NAME", "BYTES"]);
    for removed in &answer.removed {
        table.row([removed.kind.to_owned(), removed.name.clone(), removed.bytes.to_string()]);
    }
    printer.table(&table)?;
    let did = if args.dry_run { "would free" } else { "freed" };
    printer.word(&format!("{did} {} bytes", answer.freed_bytes))
}

fn age(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "it is no time such as 90m, 12h or 30d".to_owned())
}
