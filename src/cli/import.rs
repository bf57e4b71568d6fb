//! `run-agent import`: imports a tree of the original Conductor Loop.

use std::{path::PathBuf, process::ExitCode};

use super::{
    colour::Style,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::{Cell, Table},
};
use base::telemetry::Redactor;
use engine::import::{Importer, Mode, Outcome};
use tree::ids::ProjectId;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
import changes nothing in the source and starts nothing. A run that the original calls running, or whose end it guessed, \
becomes `crashed`. Existing tasks and runs stay as they are, so you can repeat an import: it adds the runs that are missing, such as one \
that could not be read before.

Exit code: 0 if everything is imported, 18 if something was left out; the table lists it with the reason.

Examples:
  run-agent import ~/.run-agent/runs --dry-run
  run-agent import ~/.run-agent/runs --project my-project")]
pub struct Args {
    /// Root of the tree to import: the folder that holds its projects
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Import only this project
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Show what would be imported and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Imports the tree.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let tree = context.own_tree()?;
    let redactor = Redactor::new(context.config()?.secrets().map(|s| s.expose().to_owned()));
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Import };
    let importer = Importer::open(&tree, &context.cwd()?.join(&args.from), &redactor, mode)?;
    let found = importer.run(args.project.as_ref())?;
    if found.is_empty() {
        return Err(CliError::new(
            Kind::NotFound,
            format!("there is no project to import in {}", args.from.display()),
        )
        .with_hint("give the folder that contains the folders of the projects"));
    }
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&found)?;
    } else {
        let mut table = Table::new(&["RESULT", "NAME", "NOTES"]);
        for item in &found {
            let left_out = item.outcome == Outcome::Skipped || item.incomplete;
            let style = if left_out { Style::Bad } else { Style::Good };
            let notes = item.notes.join("; ");
            table.row([Cell::styled(item.outcome.as_str(), style), item.name.as_str().into(), notes.into()]);
        }
        printer.table(&table)?;
        if args.dry_run {
            printer.word("nothing was written")?;
        }
    }
    let left_out = found.iter().any(|item| item.outcome == Outcome::Skipped || item.incomplete);
    Ok(if left_out { ExitCode::from(Kind::Partial.code()) } else { ExitCode::SUCCESS })
}
