//! `run-agent fsck`: what is wrong with a tree, and mending it.

use std::process::ExitCode;

use serde::Serialize;

use super::{
    context::Context,
    error::{CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::Table,
};
use crate::{
    runner,
    view::fsck::{self, Finding, Report, Severity},
};

/// Rounds of mending: one mended thing may uncover another.
const ROUNDS: usize = 5;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent fsck
  run-agent fsck --repair
  run-agent fsck --json | jq '.findings[].rule'")]
pub struct Args {
    /// Mend what can be mended without losing anything
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    clean: bool,
    mended: &'a [Finding],
    findings: &'a [Finding],
}

/// Looks, and mends if asked to.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let mut report = fsck::check(&runner.tree)?;
    let mut mended = Vec::new();
    for _ in 0..if args.repair { ROUNDS } else { 0 } {
        let before = mended.len();
        for finding in report.findings.drain(..) {
            if runner::repair(&runner, &finding)? {
                mended.push(finding);
            }
        }
        report = fsck::check(&runner.tree)?;
        if mended.len() == before {
            break;
        }
    }
    print(args, context, &mended, &report)?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(Kind::Findings.code()) })
}

fn print(args: &Args, context: &Context, mended: &[Finding], report: &Report) -> CliResult<()> {
    let printer = context.printer();
    if args.json.form() == Form::Json {
        return printer.json(&Answer { clean: report.is_clean(), mended, findings: &report.findings });
    }
    for finding in mended {
        printer.word(&format!(
            "mended {}: {}: {}",
            finding.rule.as_str(),
            finding.path.display(),
            finding.what
        ))?;
    }
    let mut table = Table::new(&["SEVERITY", "RULE", "PATH", "WHAT"]);
    for finding in &report.findings {
        table.row([
            severity(finding.severity).to_owned(),
            finding.rule.as_str().to_owned(),
            finding.path.display().to_string(),
            finding.what.clone(),
        ]);
    }
    if report.findings.is_empty() {
        return printer.word("the tree is as it should be");
    }
    printer.table(&table)?;
    let mendable = report.findings.iter().any(|f| f.severity == Severity::Mendable);
    if mendable && !args.repair {
        printer.word("`run-agent fsck --repair` mends what is mendable")?;
    }
    Ok(())
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Mendable => "mendable",
        Severity::Error => "error",
    }
}
