//! `run-agent validate`: whether the agents could be called: program, version, credentials, command.
//!
//! The dry run of an agent builds its command as a run would and starts the program with `--version`. It asks no
//! model anything: that would cost money, and say no more of this machine.

use std::{path::PathBuf, process::ExitCode};

use serde::Serialize;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::Table,
};
use crate::{
    agents::{self, Credentials, Said},
    config::{AgentType, Permissions},
    daemon::{self, Ask, Looked},
    runner::{self, Rehearsal, Runner},
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent validate
  run-agent validate --agent codex --dry-run
  run-agent validate --json | jq '.agents[] | select(.problems != [])'")]
pub struct Args {
    /// Only this agent; it has to be usable
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Show the command that a run would start, too
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

#[derive(Debug, Serialize)]
struct Answer {
    agents: Vec<Report>,
}

/// What is known of one agent.
#[derive(Debug, Serialize)]
struct Report {
    agent: String,
    #[serde(rename = "type")]
    agent_type: &'static str,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    credentials: String,
    /// What a run would start, and the variables that it would be given beside the inherited ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<String>,
    problems: Vec<Problem>,
    notes: Vec<String>,
    #[serde(skip)]
    kind: Option<Kind>,
}

#[derive(Debug, Serialize)]
struct Problem {
    problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Looks at the agents; fails for the one that was named, else for the one that tasks get by default.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let wanted = args.agent.as_ref().unwrap_or(&runner.config.defaults.agent);
    agents::find(&runner.config, wanted)?;
    let looked = daemon::look_at_programs(&runner, args.agent.as_deref().map_or(Ask::All, Ask::Only))?;
    let cwd = context.cwd()?;
    let mut reports = Vec::new();
    for looked in looked.iter().filter(|l| args.agent.as_deref().is_none_or(|name| name == l.agent.name)) {
        let rehearsal = runner::rehearse(&runner, looked.agent.name, &cwd).map_err(CliError::from);
        let mut report = report(&runner, looked, rehearsal);
        report.command = report.command.filter(|_| args.dry_run);
        reports.push(report);
    }
    let failed = reports.iter().find(|r| r.agent == *wanted).and_then(|r| r.kind);
    print(&Answer { agents: reports }, args, context)?;
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.code())))
}

fn report(runner: &Runner, looked: &Looked<'_>, rehearsal: CliResult<Rehearsal>) -> Report {
    let settings = looked.agent.settings;
    let mut report = Report {
        agent: looked.agent.name.to_owned(),
        agent_type: settings.agent_type.as_str(),
        usable: true,
        program: looked.agent.program.as_ref().ok().cloned(),
        version: None,
        credentials: String::new(),
        command: None,
        variables: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
        kind: None,
    };
    let key = rehearsal.as_ref().ok().and_then(|r| r.key);
    let exists = |file: &std::path::Path| file.exists();
    let found = agents::credentials(settings, key, &runner.environment, exists);
    report.credentials = match &found {
        Credentials::NotNeeded => "not needed".to_owned(),
        Credentials::Token(variable) => format!("the configured token, in ${variable}"),
        Credentials::Variable(variable) => format!("${variable}"),
        Credentials::File(file) => file.display().to_string(),
        Credentials::NotFound(_) => "not found".to_owned(),
    };
    match rehearsal {
        Ok(rehearsal) => {
            report.command = Some(rehearsal.argv);
            report.variables = rehearsal.variables;
        }
        Err(_) if settings.agent_type == AgentType::Command && settings.command.is_empty() => {
            report.notes.push(
                "is given its program with each task: run-agent job --agent command -- PROGRAM".to_owned(),
            );
        }
        Err(e) => report.fails(e.kind(), e.chain(), e.hint()),
    }
    match (&looked.said, settings.agent_type) {
        (Some(Said::Version(version)), _) => report.version = Some(version.clone()),
        (Some(Said::Nothing(why)), _) => {
            let text = format!("the program {why}");
            report.fails(Kind::Failed, text, Some("start it by hand; it may have to be installed again"));
        }
        (None, AgentType::Demo | AgentType::Perplexity | AgentType::Xai) if settings.command.is_empty() => {
            report.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        }
        (None, _) => {}
    }
    // It may have another way to log in, so it is no failure.
    if let (true, Credentials::NotFound(hint)) = (report.usable, found) {
        report.problems.push(Problem { problem: "no credentials were found".to_owned(), hint: Some(hint) });
    }
    let notes = notes(runner, looked, &report);
    report.notes.extend(notes);
    report
}

fn notes(runner: &Runner, looked: &Looked<'_>, report: &Report) -> Vec<String> {
    let settings = looked.agent.settings;
    let mut notes = Vec::new();
    if report.variables.iter().any(|name| name == "IS_SANDBOX") {
        notes.push(
            "runs as root: IS_SANDBOX=1 is set, without which claude refuses root all permissions".to_owned(),
        );
    }
    let is_cli = looked.agent.answers();
    if is_cli && settings.permissions == Permissions::Ask {
        notes.push(
            "permissions: ask: there is nobody to ask, so what is not allowed beforehand is denied"
                .to_owned(),
        );
    }
    if report.agent == runner.config.defaults.agent {
        notes.push("tasks that name no agent get this one".to_owned());
    }
    notes
}

impl Report {
    fn fails(&mut self, kind: Kind, problem: String, hint: Option<&str>) {
        // What is missing altogether need not be said twice.
        if self.usable {
            self.problems.push(Problem { problem, hint: hint.map(str::to_owned) });
            self.kind = Some(kind);
        }
        self.usable = false;
    }
}

fn print(answer: &Answer, args: &Args, context: &Context) -> CliResult<()> {
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
