//! `run-agent man`: prints the manual pages, built from the same texts as `--help`.

use std::{path::PathBuf, process::ExitCode};

use clap::Command;
use clap_mangen::Man;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use base::fsx::{Durability, RelPath, Root};
use tree::TreeError;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent man | man -l -
  run-agent man job | man -l -
  run-agent man --out ~/.local/share/man/man1")]
pub struct Args {
    /// Verb, such as `job` or `bus post` [default: the page about run-agent]
    #[arg(value_name = "VERB", conflicts_with = "out")]
    verbs: Vec<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints a page of `command`, the whole command line, or writes all pages to a folder.
pub(super) fn run(args: &Args, mut command: Command, context: &Context) -> CliResult<ExitCode> {
    command.build();
    let Some(folder) = &args.out else {
        let mut page = &command;
        for verb in &args.verbs {
            page = page.find_subcommand(verb).ok_or_else(|| {
                CliError::new(Kind::NotFound, format!("there is no verb '{}'", args.verbs.join(" ")))
                    .with_hint("`run-agent --help` lists the verbs")
            })?;
        }
        context.printer().bytes(&rendered(page)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let root = Root::create(folder, Durability::Never).map_err(TreeError::from)?;
    let pages = write_all(&root, &command)?;
    context.printer().word(&format!("wrote {pages} pages to {}", root.path().display()))?;
    Ok(ExitCode::SUCCESS)
}

fn write_all(root: &Root, command: &Command) -> CliResult<usize> {
    let name = Man::new(command.clone()).get_filename();
    root.replace(&RelPath::top().join(&name), &rendered(command)?).map_err(TreeError::from)?;
    let mut pages = 1;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        pages += write_all(root, verb)?;
    }
    Ok(pages)
}

fn rendered(command: &Command) -> CliResult<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot create the page", e))?;
    Ok(page)
}
