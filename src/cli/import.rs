//! `run-agent import`: takes in a tree of the original Conductor Loop.

use std::{path::PathBuf, process::ExitCode};

use super::{
    colour::Style,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::{Cell, Table},
};
use crate::{
    import::{Importer, Mode, Outcome},
    telemetry::Redactor,
    tree::ids::ProjectId,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The source is not changed, and nothing is started. A run that the original still calls running, or whose end it has
guessed, is `crashed` here. What is there already stays as it is, so the same import may be repeated.

Exit code: 0 if everything was taken in or is there, 18 if something was left out: the table says what and why.

Examples:
  run-agent import ~/.run-agent/runs --dry-run
  run-agent import ~/.run-agent/runs --project my-project")]
pub struct Args {
    /// Root of the original's tree: the folder of its projects
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Only this project
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Only say what would be taken in
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Takes it in.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let tree = context.tree()?;
    let redactor = Redactor::new(context.config()?.secrets().map(|s| s.expose().to_owned()));
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Import };
    let importer = Importer::open(&tree, &context.cwd()?.join(&args.from), &redactor, mode)?;
    let found = importer.run(args.project.as_ref())?;
    if found.is_empty() {
        return Err(CliError::new(
            Kind::NotFound,
            format!("there is no project to import in {}", args.from.display()),
        )
        .with_hint("give the folder whose folders are the projects"));
    }
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&found)?;
    } else {
        let mut table = Table::new(&["WHAT CAME OF IT", "NAME", "NOTES"]);
        for item in &found {
            let style = if item.outcome == Outcome::Skipped { Style::Bad } else { Style::Good };
            let notes = item.notes.join("; ");
            table.row([Cell::styled(item.outcome.as_str(), style), item.name.as_str().into(), notes.into()]);
        }
        printer.table(&table)?;
        if args.dry_run {
            printer.word("nothing was written")?;
        }
    }
    let left_out = found.iter().any(|item| item.outcome == Outcome::Skipped);
    Ok(if left_out { ExitCode::from(Kind::Partial.code()) } else { ExitCode::SUCCESS })
}
