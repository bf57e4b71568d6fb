//! `run-agent doctor`: checks if this machine is set up for unattended agents.

use std::{path::Path, process::ExitCode};

use serde::Serialize;

use super::{
    agent_report::{self, Problem, Report},
    amount,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::Table,
};
use base::clock::rfc3339;
use config::WatchMode;
use engine::runner::{self, Runner};
use view::doctor::{self, ChangeDetection, Check, State};

/// The name of the line about an agent.
const AGENT: &str = "agent";

/// The verb that explains more than fits into a line.
const VALIDATE: &str = "run-agent validate";

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
doctor asks each agent's program for its version and builds its command; it calls no model. The default agent must be \
usable. Another agent of the configuration file that is not usable causes a warning.

Exit code: 0 if nothing fails, 17 if something does.

Examples:
  run-agent doctor
  run-agent doctor --json | jq '.checks[] | select(.state != \"ok\")'")]
pub struct Args {
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    ok: bool,
    checks: &'a [Check],
}

/// Makes the checks and prints them.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = Runner { tree: context.own_tree()?, ..context.runner()? };
    let detection = match runner.config.watch.mode {
        WatchMode::Poll => ChangeDetection::Polling,
        WatchMode::Auto if runner.tree.root().is_remote() => ChangeDetection::Polling,
        WatchMode::Native | WatchMode::Auto => ChangeDetection::Notifications,
    };
    let mut checks = doctor::check(&runner.tree, detection);
    checks.extend(doctor::extra_roots(&runner.tree, &runner.config.storage.extra_roots));
    checks.push(doctor::git(context.environment().iter(), runner.config.defaults.record_changes));
    checks.push(daemon(&runner));
    checks.extend(kept_program(&runner));
    checks.extend(webhook(&runner));
    checks.extend(agents(context, &runner));
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
        Ok(None) => Check::ok(name, "no daemon runs; the command line works without one"),
        Err(e) => Check::fail(name, e.to_string(), "restart the daemon"),
    }
}

/// Reports the program that the last update has replaced, because it takes as much room as this one.
fn kept_program(runner: &Runner) -> Option<Check> {
    let kept = ::daemon::kept_program(&runner.program);
    let size = amount::size(kept.metadata().ok()?.len());
    let path = kept.display();
    let what = format!(
        "{path}, {size}, is the program before the last update; delete it once you trust the new one"
    );
    Some(Check::ok("rollback", what))
}

/// Checks if the ends of runs reach the webhook. Returns `None` if no webhook is configured and no post waits.
fn webhook(runner: &Runner) -> Option<Check> {
    let name = "webhook";
    let wanted = runner.config.webhook.url.is_some();
    match runner.tree.outbox() {
        Ok(outbox) if outbox.waiting == 0 => {
            wanted.then(|| Check::ok(name, "ends of runs are posted; none is waiting"))
        }
        Ok(outbox) => {
            let since = outbox.oldest.map(|at| format!(" since {}", rfc3339(at))).unwrap_or_default();
            let why = outbox.last_error.map(|e| format!(": {e}")).unwrap_or_default();
            let waiting = outbox.waiting;
            let things = if waiting == 1 {
                "1 end of a run waits".to_owned()
            } else {
                format!("{waiting} ends of runs wait")
            };
            let hint = match (wanted, runner.tree.daemon_is_there()) {
                (false, _) => "set webhook.url, or remove the files in _daemon/outbox",
                (true, Ok(true)) => "make webhook.url answer with 2xx; the daemon's log has each attempt",
                (true, _) => "start a daemon (run-agent serve); the daemon posts them",
            };
            Some(Check::warn(name, format!("{things} to be posted{since}{why}"), hint))
        }
        Err(e) => Some(Check::warn(name, e.to_string(), "make _daemon/outbox readable")),
    }
}

/// One line for each agent that is configured or installed.
fn agents(context: &Context, runner: &Runner) -> Vec<Check> {
    let reports = context.cwd().and_then(|cwd| Ok((agent_report::reports(context, runner, None)?, cwd)));
    match reports {
        Ok((reports, cwd)) => {
            let default = agent_report::default_agent(runner, &cwd);
            let each = reports
                .iter()
                .filter_map(|r| Some(agent(r, default.as_deref(), &runner.program)?.of(&r.agent)));
            each.chain(no_default(runner, &cwd)).collect()
        }
        Err(e) => vec![Check::fail(AGENT, e.chain(), e.hint().unwrap_or(VALIDATE))],
    }
}

/// Reports that a task which names no agent would find none, and why.
fn no_default(runner: &Runner, cwd: &Path) -> Option<Check> {
    let error = CliError::from(runner::default_agent(runner, cwd, 0).err()?);
    let hint = error.hint().unwrap_or(VALIDATE).to_owned();
    Some(Check::warn(AGENT, error.chain(), &hint))
}

/// Checks one agent. The default agent must be usable; an agent that is neither configured nor installed is not
/// mentioned.
fn agent(report: &Report, default: Option<&str>, own_program: &Path) -> Option<Check> {
    let is_default = default == Some(&*report.agent);
    let named = is_default || report.configured;
    let Some(program) = report.program.as_ref().filter(|_| report.usable) else {
        // The agents that this program contains are on every machine, wanted or not.
        if !named && report.program.as_ref().is_none_or(|program| program == own_program) {
            return None;
        }
        let Some(Problem { problem, hint }) = report.problems.first() else {
            return Some(Check::ok(AGENT, format!("{}: {}", report.agent, report.notes.join("; "))));
        };
        let what = format!("{} cannot be used: {problem}", report.agent);
        let hint = hint.as_deref().unwrap_or(VALIDATE);
        let judge = if is_default { Check::fail } else { Check::warn };
        return Some(judge(AGENT, what, hint));
    };
    let version = report.version.as_deref().unwrap_or("of unknown version");
    let what = format!(
        "{} {version}: {}, credentials {}, dry run ok",
        report.agent,
        program.display(),
        report.credentials
    );
    let hint = report.problems.first().and_then(|p| p.hint.as_deref()).filter(|_| named);
    Some(match hint {
        Some(hint) => Check::warn(AGENT, what, hint),
        None => Check::ok(AGENT, what),
    })
}

fn print(args: &Args, context: &Context, checks: &[Check], ok: bool) -> CliResult<()> {
    let printer = context.printer();
    if args.json.form() == Form::Json {
        return printer.json(&JsonOutput { ok, checks });
    }
    let mut table = Table::new(&["CHECK", "STATE", "WHAT"]);
    for check in checks {
        table.row([check.name, check.state.as_str(), &check.what]);
    }
    printer.table(&table)?;
    for check in checks {
        if let Some(hint) = &check.hint {
            let subject = check.subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
            printer.word(&format!("hint: {}{subject}: {hint}", check.name))?;
        }
    }
    Ok(())
}
