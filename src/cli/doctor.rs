//! `run-agent doctor`: whether this machine is a good place for unattended agents.

use std::{path::Path, process::ExitCode};

use serde::Serialize;

use super::{
    context::Context,
    error::{CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::Table,
};
use crate::{
    agents,
    config::WatchMode,
    runner::Runner,
    view::doctor::{self, Check, Noticing, State},
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent doctor
  run-agent doctor --json | jq '.checks[] | select(.state != \"ok\")'")]
pub struct Args {
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    ok: bool,
    checks: &'a [Check],
}

/// Looks, and says what it found.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let noticing = match runner.config.watch.mode {
        WatchMode::Poll => Noticing::ByLooking,
        WatchMode::Auto if runner.tree.root().is_remote() => Noticing::ByLooking,
        WatchMode::Native | WatchMode::Auto => Noticing::ByTheKernel,
    };
    let mut checks = doctor::check(&runner.tree, noticing);
    checks.extend([daemon(&runner), programs(&runner)]);
    let ok = checks.iter().all(|c| c.state != State::Fail);
    print(args, context, &checks, ok)?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(Kind::Findings.code()) })
}

fn daemon(runner: &Runner) -> Check {
    let name = "daemon";
    match runner.tree.daemon() {
        Ok(Some(daemon)) => {
            Check::ok(name, format!("pid {} serves {}", daemon.pid, daemon.listen.join(", ")))
        }
        Ok(None) => Check::ok(name, "none runs; the command line works without"),
        Err(e) => Check::fail(name, e.to_string(), "end the daemon and start it again"),
    }
}

/// The default agent counts; which others are there is only told. Nothing is started for it.
fn programs(runner: &Runner) -> Check {
    let name = "agents";
    let path = runner.search_path();
    let found = agents::installed(&runner.config, &runner.program, &path, Path::new("/"));
    let default = &runner.config.defaults.agent;
    if let Some(Err(e)) = found.iter().find(|a| a.name == default).map(|a| a.program.as_ref()) {
        return Check::fail(name, format!("the default agent cannot be used: {e}"), "run-agent validate");
    }
    let there: Vec<&str> = found.iter().filter(|a| a.program.is_ok()).map(|a| a.name).collect();
    Check::ok(name, format!("there are {}; `run-agent validate` says more", there.join(", ")))
}

fn print(args: &Args, context: &Context, checks: &[Check], ok: bool) -> CliResult<()> {
    let printer = context.printer();
    if args.json.form() == Form::Json {
        return printer.json(&Answer { ok, checks });
    }
    let mut table = Table::new(&["CHECK", "STATE", "WHAT"]);
    for check in checks {
        table.row([check.name, check.state.as_str(), &check.what]);
    }
    printer.table(&table)?;
    for check in checks {
        if let Some(hint) = &check.hint {
            printer.word(&format!("hint: {}: {hint}", check.name))?;
        }
    }
    Ok(())
}
