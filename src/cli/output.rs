//! `run-agent output`: prints the answer of a run or its output, once or while it grows.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    interrupt::Interrupts,
    reference::{Named, References},
};
use base::fsx::{LineReader, ReadFile};
use engine::runner::{Runner, RunnerError};
use tree::{Tree, TreeError, refs::RunRef, run_info::RunStatus};
use view::{
    answer,
    files::{Growing, RunFile},
    scan,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For a task, output prints the last answer. If the latest run has none yet, a note on stderr names the run that it is from. \
With --file, output prints that file of the latest run.

Examples:
  run-agent output my-project/my-task
  run-agent output my-task --file stderr --tail 50
  run-agent output my-task --file stdout --follow")]
pub struct Args {
    /// PROJECT/TASK for its last answer, PROJECT/TASK/RUN, or an id alone [default: the current run]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// File to print: output, stdout, stderr, prompt, events, changes or run-info, or its name on disk
    #[arg(long, value_name = "FILE", value_parser = file, default_value = "output")]
    file: RunFile,
    /// Print only the last N lines
    #[arg(long, value_name = "LINES")]
    tail: Option<usize>,
    /// Keep printing until the run has ended
    #[arg(long, short)]
    follow: bool,
}

/// The word for a file: its name in requests, without an ending.
fn short(file: RunFile) -> &'static str {
    file.name().split_once('.').map_or(file.name(), |(stem, _)| stem)
}

/// Parses the name of a run's file: the word for it, or its name in the run's folder.
fn file(text: &str) -> Result<RunFile, String> {
    let found =
        RunFile::ALL.into_iter().find(|file| [file.name(), file.file_name(), short(*file)].contains(&text));
    found.ok_or_else(|| format!("a run has no such file; it has {}", RunFile::ALL.map(short).join(", ")))
}

const CHUNK: u64 = 256 * 1024;

/// Prints the file.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let tree = &runner.tree;
    let run = wanted(args, context, tree)?;
    let path = args.file.of(&run);
    let name = path.name().to_owned();
    let mut position = Position { tree, file: Growing::new(path), offset: 0 };
    if let Some(lines) = args.tail {
        position.skip_to_last(lines)?;
    }
    // The answer is written as a whole at the end, so there is nothing to print before.
    if args.file != RunFile::Output || !args.follow {
        position.print(context)?;
    }
    if args.follow {
        context.runtime()?.block_on(follow(context, &runner, &run, &mut position))?;
    }
    if position.open()?.is_none() {
        let hint = match args.file {
            RunFile::Events => {
                "agents with a known format have one; `--file stdout` shows what the agent printed"
            }
            RunFile::Patch => "`run-agent diff` says what is known of the changes",
            _ => "while it runs, `--file stdout --follow` shows what the agent prints",
        };
        return Err(CliError::new(Kind::NotFound, format!("run {run} has no {name}")).with_hint(hint));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the run of the printed file. A task stands for its latest run. If that run has no answer and the answer
/// is wanted, the task stands for its last run with one.
fn wanted(args: &Args, context: &Context, tree: &Tree) -> CliResult<RunRef> {
    let references = References::of(context, tree);
    let latest = references.run(args.name.as_deref())?;
    let any = args.file == RunFile::Output && !args.follow && !answer::has_answer(tree, &latest);
    let Some(name) = args.name.as_deref().filter(|_| any) else { return Ok(latest) };
    let Named::Task(task) = references.named(name)? else { return Ok(latest) };
    let Some(answered) = answer::last_answered(tree, &task)? else { return Ok(latest) };
    let left = if has_ended(tree, &latest).unwrap_or(true) { "left no answer" } else { "has no answer yet" };
    let (newest, shown) = (&latest.run, &answered.run);
    context.printer().word(&format!("note: run {newest} {left}; this is the answer of run {shown}"))?;
    Ok(answered)
}

/// Prints new output until the run has ended. Drives the task itself while it has no other driver.
async fn follow(
    context: &Context,
    runner: &Runner,
    run: &RunRef,
    position: &mut Position<'_>,
) -> CliResult<()> {
    let hints = context.hints(&runner.tree)?;
    let root = runner.tree.root();
    let _watched =
        [hints.watch(&root.absolute(run.dir().path())), hints.watch(&root.absolute(run.task.dir().path()))];
    let mut waiter = hints.waiter();
    let mut interrupts = Interrupts::listen()?;
    let detach = CancellationToken::new();
    let holder = daemon::holder("run-agent output --follow");
    let drive = daemon::take_over(runner, &run.task, &holder, &hints, &detach);
    tokio::pin!(drive);
    let mut driving = true;
    loop {
        let ended = has_ended(&runner.tree, run)?;
        position.print(context)?;
        if ended {
            return Ok(());
        }
        tokio::select! {
            end = &mut drive, if driving => {
                driving = false;
                match end {
                    // Another driver holds the task, or held it until now.
                    Ok(_) | Err(RunnerError::Tree(TreeError::Locked { .. })) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            // A reader that is interrupted stops reading; the run continues.
            _ = interrupts.next() => return Ok(()),
            () = waiter.next() => {}
        }
    }
}

fn has_ended(tree: &Tree, run: &RunRef) -> CliResult<bool> {
    let (_, status) = scan::run(tree, run.clone()).record?;
    Ok(!matches!(status, RunStatus::Created | RunStatus::Running))
}

/// A file, and the offset up to which it has been printed.
struct Position<'a> {
    tree: &'a Tree,
    file: Growing,
    offset: u64,
}

impl Position<'_> {
    fn open(&mut self) -> CliResult<Option<&ReadFile>> {
        Ok(self.file.open(self.tree.root())?)
    }

    fn skip_to_last(&mut self, lines: usize) -> CliResult<()> {
        let Some(file) = self.open()? else { return Ok(()) };
        let size = file.size().map_err(TreeError::from)?;
        let reader = LineReader::new(file);
        let mut at = size;
        let whole = reader.complete_until(size).map_err(TreeError::from)?;
        let mut left = lines;
        // An unfinished line counts as a line.
        if whole < size && left > 0 {
            left -= 1;
            at = whole;
        }
        while left > 0 {
            let Some(line) = reader.before(at).map_err(TreeError::from)? else { break };
            at = line.offset;
            left -= 1;
        }
        self.offset = at;
        Ok(())
    }

    fn print(&mut self, context: &Context) -> CliResult<()> {
        if self.file.begins_anew(self.tree.root(), self.offset, None)? {
            self.offset = 0;
        }
        let mut offset = self.offset;
        let Some(file) = self.open()? else { return Ok(()) };
        loop {
            let bytes = file.read_range(offset, offset + CHUNK).map_err(TreeError::from)?;
            let printed = context.printer().foreign(&bytes)?;
            if printed == 0 {
                break;
            }
            offset += printed as u64;
        }
        self.offset = offset;
        Ok(())
    }
}
