//! `run-agent fsck`: reports damage of a tree and repairs it.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use serde::Serialize;

use super::{
    bundle::open_bundle,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::Table,
};
use engine::runner::{self, Repaired};
use view::fsck::{self, Finding, Report, Severity};

/// Maximum number of repair rounds: one repair may uncover another finding.
const ROUNDS: usize = 5;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent fsck
  run-agent fsck --repair
  run-agent fsck report.tar.gz
  run-agent fsck --json | jq '.findings[].rule'")]
pub struct Args {
    /// Bundle to check (*.tar.gz) [default: check the tree]
    #[arg(value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Repair every finding that can be repaired without data loss
    #[arg(long, conflicts_with = "bundle")]
    repair: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The findings of a check, and the repairs of them.
#[derive(Debug)]
struct CheckResult {
    mended: Vec<Finding>,
    /// The reasons for failed repairs.
    failures: Vec<String>,
    left: Report,
}

#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    clean: bool,
    mended: &'a [Finding],
    failures: &'a [String],
    findings: &'a [Finding],
}

/// Checks the tree, and repairs it if asked to.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    if let Some(path) = &args.bundle {
        let bundle = open_bundle(context, path)?;
        let looked =
            CheckResult { mended: Vec::new(), failures: Vec::new(), left: fsck::check(&bundle.tree)? };
        return conclude(args, context, &looked);
    }
    let runner = runner::Runner { tree: context.own_tree()?, ..context.runner()? };
    let left = fsck::check(&runner.tree)?;
    let mut looked = CheckResult { mended: Vec::new(), failures: Vec::new(), left };
    if args.repair {
        repair(&runner, &mut looked)?;
    }
    conclude(args, context, &looked)
}

fn conclude(args: &Args, context: &Context, looked: &CheckResult) -> CliResult<ExitCode> {
    print(args, context, looked)?;
    Ok(if looked.left.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(Kind::Findings.code()) })
}

fn repair(runner: &runner::Runner, looked: &mut CheckResult) -> CliResult<()> {
    for _ in 0..ROUNDS {
        let before = looked.mended.len();
        looked.failures.clear();
        for finding in std::mem::take(&mut looked.left.findings) {
            match runner::repair(runner, &finding) {
                Ok(Repaired::Yes) => looked.mended.push(finding),
                Ok(Repaired::No) => {}
                // The finding stays in the report, and the other repairs continue.
                Err(e) => {
                    let why = CliError::from(e).chain();
                    looked.failures.push(format!("{}: {why}", finding.path.display()));
                }
            }
        }
        looked.left = fsck::check(&runner.tree)?;
        if looked.mended.len() == before {
            break;
        }
    }
    Ok(())
}

fn print(args: &Args, context: &Context, looked: &CheckResult) -> CliResult<()> {
    let printer = context.printer();
    let CheckResult { mended, failures, left } = looked;
    if args.json.form() == Form::Json {
        return printer.json(&JsonOutput {
            clean: left.is_clean(),
            mended,
            failures,
            findings: &left.findings,
        });
    }
    for finding in mended {
        let (rule, path) = (finding.rule.as_str(), finding.path.display());
        printer.word(&format!("repaired {rule}: {path}: {}", finding.what))?;
    }
    for failure in failures {
        printer.word(&format!("not repaired: {failure}"))?;
    }
    if left.findings.is_empty() {
        return printer.word("no problems found");
    }
    let mut table = Table::new(&["SEVERITY", "RULE", "PATH", "WHAT"]);
    for finding in &left.findings {
        let path = finding.path.display().to_string();
        table.row([finding.severity.as_str(), finding.rule.as_str(), &path, &finding.what]);
    }
    printer.table(&table)?;
    let hints: BTreeSet<_> = left.findings.iter().map(|f| (f.rule.as_str(), f.hint)).collect();
    for (rule, hint) in hints {
        printer.word(&format!("hint: {rule}: {hint}"))?;
    }
    let mendable = left.findings.iter().any(|f| f.severity == Severity::Mendable);
    if mendable && !args.repair && args.bundle.is_none() {
        printer.word("`run-agent fsck --repair` repairs what can be repaired")?;
    }
    Ok(())
}
