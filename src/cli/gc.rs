//! `run-agent gc`: lists old runs, asks, and removes them.

use std::{process::ExitCode, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    amount,
    confirm::{Consent, YesFlag},
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::{JsonFlag, duration},
    print::Form,
    reference::References,
    table::Table,
};
use base::words::count;
use engine::runner::{self, Collectable, Failed, OldItem, Policy, Runner, Scope};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).multiple(true).args(["older_than", "keep"]),
    after_help = "\
gc shows what it would remove and asks. Where there is no terminal to ask on it needs --yes.

These always stay: everything of a task that is queued, live or running, or that such a task needs; and of every other \
task its last run, its last run with an answer, and its last run that succeeded with an answer. Only --tasks removes \
whole tasks.

Examples:
  run-agent gc --older-than 7d --dry-run
  run-agent gc --older-than 30d --keep 5 --keep-failed --yes
  run-agent gc --project my-project --older-than 90d --tasks"
)]
pub struct Args {
    /// Remove runs that ended longer ago than this; the unit is required: 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
    /// Keep the latest N runs of each task; with --older-than only remove those that are older, too
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Remove nothing of other projects
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Keep runs that did not succeed
    #[arg(long)]
    keep_failed: bool,
    /// Remove whole tasks, answers included, where all their runs are old
    #[arg(long, requires = "older_than")]
    tasks: bool,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: YesFlag,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The things that were removed or, in a dry run, would be removed.
#[derive(Debug, Default, Serialize)]
struct JsonOutput {
    dry_run: bool,
    freed_bytes: u64,
    removed: Vec<Removed>,
    failures: Vec<String>,
}

/// One thing that was removed.
#[derive(Debug, Serialize)]
struct Removed {
    name: String,
    kind: &'static str,
    runs: usize,
    ended_at: DateTime<Utc>,
    bytes: u64,
}

impl Removed {
    fn new(found: &Collectable) -> Self {
        let (name, kind) = match &found.old {
            OldItem::Run(run) => (run.to_string(), "run"),
            OldItem::Task(task) => (task.to_string(), "task"),
        };
        Self { name, kind, runs: found.runs, ended_at: found.ended, bytes: found.bytes }
    }
}

/// Removes old runs.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let form = args.json.form();
    let runner = Runner { tree: context.own_tree()?, ..context.runner()? };
    let policy = policy(args, context)?;
    let found = find(args, context, &runner, &policy)?;
    let preview: Vec<Removed> = found.iter().map(Removed::new).collect();
    let freed_bytes = preview.iter().map(|removed| removed.bytes).sum();
    if args.dry_run || found.is_empty() {
        let answer =
            JsonOutput { dry_run: args.dry_run, freed_bytes, removed: preview, failures: Vec::new() };
        print(form, context, &answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let required = args.yes.required(form);
    // The list comes before the question, and before the refusal to remove without an answer.
    if args.yes.asks(form) || (required.is_err() && form == Form::Text) {
        show(context, &preview)?;
    }
    required.map_err(|e| e.with_hint(format!("add --yes to remove {}", total(&preview))))?;
    let question = format!("Remove {}?", total(&preview));
    let consent = args.yes.ask(context, form, &question)?;
    if consent == Consent::Refused {
        return Ok(ExitCode::from(Kind::Failed.code()));
    }
    let answer = remove(&runner, &found, &policy);
    match consent {
        // The list is already printed above the question.
        Consent::Given => report(context, &answer)?,
        _ => print(form, context, &answer)?,
    }
    Ok(if answer.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.code()) })
}

fn find(args: &Args, context: &Context, runner: &Runner, policy: &Policy) -> CliResult<Vec<Collectable>> {
    let projects = match &args.project {
        Some(name) => vec![References::of(context, &runner.tree).project(Some(name))?],
        None => runner.tree.projects()?,
    };
    let mut found = Vec::new();
    for project in projects {
        found.extend(runner::old(&runner.tree, &project, policy)?);
    }
    Ok(found)
}

fn remove(runner: &Runner, found: &[Collectable], policy: &Policy) -> JsonOutput {
    let mut answer = JsonOutput::default();
    for one in found {
        let removed = Removed::new(one);
        match runner::collect(runner, &one.old, policy) {
            Ok(true) => {
                answer.freed_bytes += removed.bytes;
                answer.removed.push(removed);
            }
            // The task was resumed in the meantime.
            Ok(false) => {}
            Err(e) => answer.failures.push(format!("{}: {}", removed.name, CliError::from(e).chain())),
        }
    }
    answer
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

fn print(form: Form, context: &Context, answer: &JsonOutput) -> CliResult<()> {
    if form == Form::Json {
        return context.printer().json(answer);
    }
    if !answer.removed.is_empty() {
        show(context, &answer.removed)?;
    }
    report(context, answer)
}

/// Prints each thing with its age and size.
fn show(context: &Context, removed: &[Removed]) -> CliResult<()> {
    let now = context.clock().now();
    let mut table = Table::new(&["WHAT", "NAME", "ENDED", "SIZE"]);
    for one in removed {
        let what = if one.kind == "task" {
            format!("task with {}", count(one.runs as u64, "run"))
        } else {
            one.kind.to_owned()
        };
        let ended = format!("{} ago", amount::age(now - one.ended_at));
        table.row([what, one.name.clone(), ended, amount::size(one.bytes)]);
    }
    context.printer().table(&table)
}

/// Prints a summary to stderr.
fn report(context: &Context, answer: &JsonOutput) -> CliResult<()> {
    let printer = context.printer();
    for failure in &answer.failures {
        printer.word(&format!("not removed: {failure}"))?;
    }
    if answer.removed.is_empty() {
        return printer.word("nothing is old enough to be removed");
    }
    let did = if answer.dry_run { "would remove" } else { "removed" };
    printer.word(&format!("{did} {}", total(&answer.removed)))
}

/// "2 tasks and 3 runs, 1.4 MB".
fn total(removed: &[Removed]) -> String {
    let of = |kind: &str| removed.iter().filter(|one| one.kind == kind).count() as u64;
    let parts = [(of("task"), "task"), (of("run"), "run")];
    let parts: Vec<String> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect();
    let bytes = removed.iter().map(|one| one.bytes).sum();
    format!("{}, {}", parts.join(" and "), amount::size(bytes))
}

/// Parses an age. A bare number is refused: a user may mean days, and as seconds it would remove nearly everything.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    if text.parse::<u64>().is_ok() {
        return Err(format!("the unit is missing: write {text}d for days, or {text}h for hours"));
    }
    duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_unit() {
        assert_eq!(age("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(age("0s"), Ok(Duration::ZERO));
        assert!(age("1").unwrap_err().contains("write 1d"));
        assert!(age("0").unwrap_err().contains("the unit is missing"));
        assert!(age("soon").unwrap_err().contains("not a duration"));
    }
}
