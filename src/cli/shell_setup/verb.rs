//! The verb itself: selects the shell and the file, and edits the file.

use std::{path::PathBuf, process::ExitCode, sync::LazyLock};

use clap::{Args as ClapArgs, Subcommand};

use super::{
    super::{
        context::Context,
        error::{CliError, CliResult, Kind},
    },
    block,
    shell::Shell,
};
use agents::{AGENTS, Program};
use base::fsx::{self, FsErrorKind};
use tree::TreeError;

/// Maximum size of a start-up file that is edited, in bytes.
const MAX_RC: u64 = 16 * 1024 * 1024;

/// The agents that a person may start at a terminal, as `--agents` takes them.
static INSTALLABLE: LazyLock<String> = LazyLock::new(|| {
    let installable = AGENTS.iter().filter(|agent| matches!(agent.program(), Program::Installed { .. }));
    installable.map(|agent| agent.agent_type().as_str()).collect::<Vec<_>>().join(",")
});

/// Flags of the verb.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The shell functions call `run-agent wrap`. They do nothing inside a run or where run-agent is not installed. An alias of \
the same name takes precedence. You can repeat `install`; `uninstall` removes only the lines that `install` added.

Examples:
  run-agent shell-setup print
  run-agent shell-setup install --shell zsh --agents claude,codex
  run-agent shell-setup uninstall")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

/// Verbs below `shell-setup`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Print the shell functions
    #[command(after_help = "Examples:
  run-agent shell-setup print --shell bash")]
    Print(Which),
    /// Add the shell functions to the shell's start-up file
    #[command(after_help = "Examples:
  run-agent shell-setup install
  run-agent shell-setup install --shell zsh --agents claude,codex")]
    Install(Which),
    /// Remove the shell functions from the start-up file
    #[command(after_help = "Examples:
  run-agent shell-setup uninstall")]
    Uninstall(Which),
}

/// Selects the shell and the agents.
#[derive(Debug, ClapArgs)]
struct Which {
    /// Shell to set up [default: from $SHELL]
    #[arg(long, value_enum)]
    shell: Option<Shell>,
    /// Start-up file [default: ~/.bashrc, ~/.zshrc, ~/.config/fish/conf.d/run-agent.fish]
    #[arg(long, value_name = "FILE")]
    rc: Option<PathBuf>,
    /// Agents to record, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = &**INSTALLABLE)]
    agents: Vec<String>,
}

/// Prints, installs or removes the functions.
pub(in super::super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let (Command::Print(which) | Command::Install(which) | Command::Uninstall(which)) = &args.command;
    let shell = which.shell(context)?;
    let functions = shell.functions(&which.names()?);
    if let Command::Print(_) = args.command {
        context.printer().bytes(functions.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = which.file(shell, context)?;
    let old = match fsx::read_outside(&file, MAX_RC) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == FsErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(TreeError::from(e).into()),
    };
    let torn = |_| {
        CliError::new(Kind::Refused, format!("{} has only one of the two marker lines", file.display()))
            .with_hint(format!("remove the lines from '{}' to '{}' by hand", block::BEGIN, block::END))
    };
    let (new, did) = match args.command {
        Command::Uninstall(_) => (block::without(&old).map_err(torn)?, "has no run-agent functions"),
        _ => (block::with(&old, &functions).map_err(torn)?, "has the functions; they work in new shells"),
    };
    if new != old {
        fsx::replace_outside(&file, &new).map_err(TreeError::from)?;
    }
    context.printer().word(&format!("{} {did}", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

impl Which {
    fn shell(&self, context: &Context) -> CliResult<Shell> {
        let usual = || Shell::of_path(context.environment().get("SHELL")?);
        self.shell.or_else(usual).ok_or_else(|| {
            CliError::new(Kind::Usage, "the shell is unknown").with_hint("name it with --shell")
        })
    }

    /// Returns the agents, each checked to be a plain word, because the names become program text.
    fn names(&self) -> CliResult<Vec<&str>> {
        let plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        match self.agents.iter().find(|name| !plain(name)) {
            Some(bad) => {
                let text = format!("'{}' cannot be the name of a function", bad.escape_debug());
                Err(CliError::new(Kind::Usage, text)
                    .with_hint("an agent name is a word such as claude or codex"))
            }
            None => Ok(self.agents.iter().map(String::as_str).collect()),
        }
    }

    fn file(&self, shell: Shell, context: &Context) -> CliResult<PathBuf> {
        match &self.rc {
            Some(file) => Ok(context.cwd()?.join(file)),
            None => shell.start_up_file(context.environment()).ok_or_else(|| {
                CliError::new(Kind::Usage, "cannot find the start-up file: $HOME is not set")
                    .with_hint("name it with --rc")
            }),
        }
    }
}
