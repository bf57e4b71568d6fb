//! `run-agent diff`: shows what a run changed in its working folder.

use std::process::ExitCode;

use serde::Serialize;

use super::{
    colour::Style,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    reference::References,
    table::{Cell, Table},
};
use base::{record, words::count};
use engine::runner;
use tree::{
    Tree, TreeError,
    changes::{ChangeKind, ChangedFile, Changes, GitInfo, NotRecorded},
    refs::RunRef,
    run_info::RunInfo,
};

/// The largest patch that is shown, in bytes.
const MAX_PATCH: u64 = 64 * 1024 * 1024;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The diff compares the working folder before and after the run. It shows commits, uncommitted changes and new files. It \
leaves out earlier changes, ignored files and the content of submodules. If a run changed no file, a note names changes \
in those, in branches and in other worktrees. For a live run it shows the changes so far. Runs that work in one folder at the same time each show the changes of all of them.

Examples:
  run-agent diff my-project/my-task
  run-agent diff my-task --stat
  run-agent diff my-task > work.patch && git apply work.patch")]
pub struct Args {
    /// PROJECT/TASK for its latest run, PROJECT/TASK/RUN, or an id alone [default: the current run]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print only the changed files, with added and removed lines
    #[arg(long)]
    stat: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The whole answer.
#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    run: String,
    ended: bool,
    #[serde(flatten)]
    git: Option<&'a GitInfo>,
    folder: &'a str,
    files: &'a [ChangedFile],
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
}

/// The changes of a run, as far as they are known.
struct KnownChanges {
    changes: Changes,
    patch: Option<Vec<u8>>,
}

/// Prints the changes.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let tree = context.tree()?;
    let run = References::of(context, &tree).run(args.name.as_deref())?;
    let info = tree.run_info(&run)?;
    let known = if info.status.is_final() {
        recorded(&tree, &run, &info)?
    } else {
        let (changes, patch) = runner::so_far(&tree, context.environment(), &info)?;
        KnownChanges { changes, patch: Some(patch) }
    };
    let printer = context.printer();
    if let Some(note) = info.git.as_ref().and_then(|g| g.note.as_deref()) {
        printer.word(&format!("note: {note}"))?;
    }
    if let Some(elsewhere) = info.git.as_ref().and_then(elsewhere) {
        printer.word(&format!("note: changed outside the comparison: {elsewhere}"))?;
    }
    if args.json.form() == Form::Json {
        let patch = known.patch.filter(|_| !args.stat).map(|p| String::from_utf8_lossy(&p).into_owned());
        printer.json(&JsonOutput {
            run: run.to_string(),
            ended: info.status.is_final(),
            git: info.git.as_ref(),
            folder: &known.changes.folder,
            files: &known.changes.files,
            more: known.changes.more,
            patch,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    if known.changes.files.is_empty() {
        printer.word(&format!(
            "run {} changed no file in {} that git does not ignore",
            run.run, known.changes.folder
        ))?;
    } else if args.stat {
        stat(context, &known.changes)?;
    } else {
        let patch = known.patch.ok_or_else(|| {
            CliError::new(Kind::NotFound, format!("the changes of run {} were too large to record", run.run))
                .with_hint("`run-agent diff --stat` lists the files")
        })?;
        printer.foreign(&patch)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the changes that were recorded at the end of the run.
fn recorded(tree: &Tree, run: &RunRef, info: &RunInfo) -> CliResult<KnownChanges> {
    let root = tree.root();
    if let Some(changes) = record::read::<Changes>(root, &run.dir().changes()).map_err(TreeError::from)? {
        let patch = root.read_opt(&run.dir().patch(), MAX_PATCH).map_err(TreeError::from)?;
        return Ok(KnownChanges { changes, patch });
    }
    let (why, hint) = why_not(info);
    Err(CliError::new(Kind::NotFound, format!("the changes of run {run} are unknown: {why}")).with_hint(hint))
}

/// Explains why the changes of a run are unknown, and how to record those of the next run.
fn why_not(info: &RunInfo) -> (String, &'static str) {
    const OTHERS: &str = "`run-agent list` shows the other runs";
    let Some(git) = &info.git else {
        // A record of an older version, of an import, or of a run that never started.
        return ("its record does not say why; it may never have started".to_owned(), OTHERS);
    };
    let note = || git.note.clone().unwrap_or_else(|| "the snapshot of its working folder failed".to_owned());
    match git.not_recorded {
        Some(NotRecorded::NoRepository) => (
            "its working folder was not in a git repository when it started".to_owned(),
            "run the agent in a git repository; --cwd names one",
        ),
        Some(NotRecorded::GitMissing) => (
            "git was not installed, or not in $PATH, when it ran".to_owned(),
            "install git; `run-agent doctor` says whether it is found",
        ),
        Some(NotRecorded::Disabled) => (
            "defaults.record_changes was false when it started".to_owned(),
            "set defaults.record_changes: true in the configuration",
        ),
        Some(NotRecorded::Deadline) => {
            (note(), "git did not answer in time; check whether `git status` is slow in that folder")
        }
        Some(NotRecorded::Failed | NotRecorded::Other) | None => (note(), OTHERS),
    }
}

/// Names the changes outside of the compared files; `None` if there are none.
fn elsewhere(git: &GitInfo) -> Option<String> {
    let names = git.elsewhere.iter().map(|change| format!("{} ({})", change.name, change.kind.words()));
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn stat(context: &Context, changes: &Changes) -> CliResult<()> {
    let mut table = Table::new(&["", "ADDED", "REMOVED", "FILE"]);
    let number = |lines: Option<u64>| lines.map_or_else(|| "-".to_owned(), |n| n.to_string());
    for file in &changes.files {
        let style = match file.change {
            ChangeKind::Added => Style::Good,
            ChangeKind::Deleted => Style::Bad,
            ChangeKind::Modified | ChangeKind::Renamed => Style::Plain,
        };
        let name = match &file.old_path {
            Some(old) => format!("{old} -> {}", file.path),
            None => file.path.clone(),
        };
        table.row([
            Cell::styled(file.change.letter(), style),
            number(file.insertions).into(),
            number(file.deletions).into(),
            name.into(),
        ]);
    }
    context.printer().table(&table)?;
    let sum = |of: fn(&ChangedFile) -> Option<u64>| changes.files.iter().filter_map(of).sum::<u64>();
    context.printer().word(&format!(
        "{}, {} added, {} removed",
        count(changes.files.len() as u64, "file"),
        count(sum(|f| f.insertions), "line"),
        sum(|f| f.deletions)
    ))
}
