//! `run-agent validate`: checks if the agents could be called: program, version, credentials, command.
//!
//! Another module collects the facts; this one judges and prints them.

use std::process::ExitCode;

use serde::Serialize;

use super::{
    agent_report::{self, Problem, Report},
    context::Context,
    error::{CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::Table,
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 if the agent of --agent is usable. Without --agent: 0 if the default agent and every agent of the \
configuration file is usable. Otherwise the code of the first problem, 10 to 13.

Examples:
  run-agent validate
  run-agent validate --agent codex --dry-run
  run-agent validate --json | jq '.agents[] | select(.problems != [])'")]
pub struct Args {
    /// Check only this agent and fail if it is not usable
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Show the command that a run would start
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct JsonOutput {
    agents: Vec<Report>,
}

/// Checks the agents. Fails if the named agent is unusable; without a name, if the default agent or one that the
/// configuration file names is unusable.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let wanted = match &args.agent {
        Some(name) => Some(name.clone()),
        None => agent_report::default_agent(&runner, &context.cwd()?),
    };
    if let Some(name) = &wanted {
        agents::find(&runner.config, name)?;
    }
    let mut reports = agent_report::reports(context, &runner, args.agent.as_deref())?;
    if !args.dry_run {
        for report in &mut reports {
            report.command = None;
        }
    }
    let failed = verdict(&reports, wanted.as_deref());
    print(&JsonOutput { agents: reports }, args, context)?;
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.code())))
}

/// Returns the failure that decides the exit code. A built-in agent that is not installed is no failure.
fn verdict(reports: &[Report], wanted: Option<&str>) -> Option<Kind> {
    let named = reports.iter().filter(|r| wanted == Some(&*r.agent));
    named.chain(reports.iter().filter(|r| r.configured)).find_map(|r| r.kind)
}

fn print(answer: &JsonOutput, args: &Args, context: &Context) -> CliResult<()> {
    let printer = context.printer();
    if args.json.form() == Form::Json {
        return printer.json(answer);
    }
    let mut table = Table::new(&["AGENT", "TYPE", "USABLE", "VERSION", "PROGRAM", "CREDENTIALS"]);
    for r in &answer.agents {
        let program = r.program.as_ref().map_or_else(|| "-".to_owned(), |p| p.display().to_string());
        let usable = if r.usable { "yes" } else { "no" };
        table.row([
            &r.agent,
            r.agent_type,
            usable,
            r.version.as_deref().unwrap_or("-"),
            &program,
            &r.credentials,
        ]);
    }
    printer.table(&table)?;
    for r in &answer.agents {
        if let Some(command) = &r.command {
            printer.line(&format!("{}: {}", r.agent, command.join(" ")))?;
            if !r.variables.is_empty() {
                printer.line(&format!("{}: with ${}", r.agent, r.variables.join(", $")))?;
            }
        }
        for Problem { problem, hint } in &r.problems {
            printer.word(&format!("{}: {problem}", r.agent))?;
            if let Some(hint) = hint {
                printer.word(&format!("hint: {hint}"))?;
            }
        }
        for note in &r.notes {
            printer.word(&format!("{}: {note}", r.agent))?;
        }
    }
    Ok(())
}
