//! `run-agent completions`: prints the script with which a shell completes a command line, names of the tree
//! included.
//!
//! The shell calls this program for each completion (`$COMPLETE` is set then), so new verbs and new tasks are known
//! at once. A completion writes nothing, and any failure only results in no candidates.

use std::{ffi::OsStr, path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate},
    env::{Bash, EnvCompleter, Fish, Zsh},
};

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use agents::agent_types;
use base::{clock::Clock, fsx::Durability};
use config::{Environment, Flags, Loaded};
use tree::{Tree, refs::TaskRef};

/// The variable that a shell sets to ask for candidates.
const VARIABLE: &str = "COMPLETE";
/// Our name on the command line.
const NAME: &str = "run-agent";

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  echo 'source <(run-agent completions bash)' >>~/.bashrc
  echo 'source <(run-agent completions zsh)' >>~/.zshrc
  run-agent completions fish >~/.config/fish/completions/run-agent.fish")]
pub struct Args {
    /// Shell to print the script for
    shell: Shell,
}

/// A shell that can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script that the shell sources.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, NAME, NAME, NAME, &mut script)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot write the completion script", e))?;
    context.printer().bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell that asks about `command`, the whole command line, and then exits. Returns if no shell asks.
pub(super) fn answer(environment: &Environment, command: impl Fn() -> clap::Command) {
    if environment.get_os(VARIABLE).is_some() {
        let whole = || {
            let mut command = command();
            // The flags of a verb are declared only then.
            command.build();
            with_candidates(command)
        };
        CompleteEnv::with_factory(whole).bin(NAME).complete();
    }
}

/// Attaches to each argument the source of its candidates.
fn with_candidates(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| match arg.get_id().as_str() {
            "name" | "names" => arg.add(ArgValueCompleter::new(names)),
            "project" => arg.add(ArgValueCompleter::new(projects)),
            "depends_on" => arg.add(ArgValueCompleter::new(tasks)),
            "agent" => arg.add(ArgValueCompleter::new(agents)),
            _ => arg,
        })
        .mut_subcommands(with_candidates)
}

/// Returns the settings without flags, and the tree if one exists.
fn place() -> Option<(Loaded, Option<Tree>)> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let loaded = config::load(&Flags::default(), &Environment::capture(), &cwd, agent_types()).ok()?;
    let tree = Tree::open(&loaded.config.storage.runs_dir, Durability::Never, Clock::System).ok();
    Some((loaded, tree))
}

fn among(found: impl IntoIterator<Item = String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_str().unwrap_or_default();
    found.into_iter().filter(|name| name.starts_with(begun)).map(CompletionCandidate::new).collect()
}

fn projects(current: &OsStr) -> Vec<CompletionCandidate> {
    let found = place().and_then(|(_, tree)| tree?.projects().ok()).unwrap_or_default();
    among(found.into_iter().map(String::from), current)
}

fn agents(current: &OsStr) -> Vec<CompletionCandidate> {
    let found = place().map(|(loaded, _)| loaded.config.agents.into_keys().collect::<Vec<_>>());
    among(found.unwrap_or_default(), current)
}

/// Completes ids of tasks.
fn tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let found = place().and_then(|(_, tree)| all_tasks(&tree?)).unwrap_or_default();
    among(found.into_iter().map(|task| task.task.into()), current)
}

/// Completes `PROJECT/TASK`; after a second slash, the runs of that task.
fn names(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((_, Some(tree))) = place() else { return Vec::new() };
    let begun = current.to_str().unwrap_or_default();
    let mut parts = begun.split('/');
    if let (Some(project), Some(task), Some(_)) = (parts.next(), parts.next(), parts.next()) {
        let (Ok(project), Ok(task)) = (project.parse(), task.parse()) else { return Vec::new() };
        let task = TaskRef { project, task };
        let runs = tree.runs(&task).unwrap_or_default();
        return among(runs.into_iter().rev().map(|run| task.run(run).to_string()), current);
    }
    let found = all_tasks(&tree).unwrap_or_default();
    // The word may be the beginning of a task id without its project.
    let full = among(found.iter().map(TaskRef::to_string), current);
    if full.is_empty() { among(found.into_iter().map(|t| t.task.into()), current) } else { full }
}

fn all_tasks(tree: &Tree) -> Option<Vec<TaskRef>> {
    let mut all = Vec::new();
    for project in tree.projects().ok()? {
        let tasks = tree.tasks(&project).ok()?;
        all.extend(tasks.into_iter().map(|task| TaskRef { project: project.clone(), task }));
    }
    Some(all)
}
