//! Facts about the agents: program, version, credentials, and if their command can be built.
//!
//! A dry run builds the command as a run would and starts the program with `--version`. It sends no request to a
//! model, because a request costs money and says nothing more about this machine. The verbs decide which facts to
//! print and which of them are failures.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
};
use agents::{Credentials, Program, VersionReply};
use config::{Loaded, Origin, Permissions};
use daemon::{AgentProgram, Ask};
use engine::runner::{self, Chosen, DryRun, Runner};

/// The facts about one agent.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) agent: String,
    #[serde(rename = "type")]
    pub(super) agent_type: &'static str,
    /// True if the configuration file itself mentions the agent.
    pub(super) configured: bool,
    pub(super) usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) program: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) credentials: String,
    /// The command that a run would start, and the variables that it would add to the inherited environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) variables: Vec<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<String>,
    /// The kind of failure, if the agent cannot be used.
    #[serde(skip)]
    pub(super) kind: Option<Kind>,
}

#[derive(Debug, Serialize)]
pub(super) struct Problem {
    pub(super) problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// Examines all agents, or only the agent with the given name.
pub(super) fn reports(context: &Context, runner: &Runner, only: Option<&str>) -> CliResult<Vec<Report>> {
    let loaded = context.loaded()?;
    let checked = daemon::check_programs(runner, only.map_or(Ask::All, Ask::Only))?;
    let cwd = context.cwd()?;
    let wanted = checked.iter().filter(|l| only.is_none_or(|name| name == l.agent.name));
    let default = default_agent(runner, &cwd);
    let report = |checked: &AgentProgram<'_>| {
        let name = checked.agent.name;
        let rehearsal = runner::rehearse(runner, name, &cwd).map_err(CliError::from);
        let credentials = runner::credentials_of(runner, name, &cwd)?;
        let configured = is_configured(loaded, name);
        let mut report = report(checked, rehearsal, &credentials);
        report.notes.extend(notes(checked, &report, default.as_deref()));
        Ok(Report { configured, ..report })
    };
    wanted.map(report).collect()
}

/// Returns true if the configuration file mentions the agent; the built-in agents exist without it.
fn is_configured(loaded: &Loaded, agent: &str) -> bool {
    let section = format!("agents.{agent}.");
    let of_file = loaded.settings.iter().filter(|s| matches!(s.origin, Origin::File(..)));
    of_file.into_iter().any(|s| s.key.starts_with(&section))
}

/// Returns the agent of tasks that name none, if the choice is clear.
pub(super) fn default_agent(runner: &Runner, cwd: &Path) -> Option<String> {
    runner::default_agent(runner, cwd, 0).ok().map(Chosen::into_name)
}

fn report(checked: &AgentProgram<'_>, rehearsal: CliResult<DryRun>, credentials: &Credentials) -> Report {
    let settings = checked.agent.settings;
    let mut report = Report {
        agent: checked.agent.name.to_owned(),
        agent_type: settings.agent_type.as_str(),
        configured: false,
        usable: true,
        program: checked.agent.program.as_ref().ok().cloned(),
        version: None,
        credentials: String::new(),
        command: None,
        variables: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
        kind: None,
    };
    report.credentials = match credentials {
        Credentials::NotNeeded => "not needed".to_owned(),
        Credentials::Token(variable) => format!("the configured token, in ${variable}"),
        Credentials::Variable(variable) => format!("${variable}"),
        Credentials::File(file) => file.display().to_string(),
        Credentials::Unknown(_) => "unknown".to_owned(),
        Credentials::Missing(_) => "missing".to_owned(),
    };
    match rehearsal {
        Ok(rehearsal) => {
            report.command = Some(rehearsal.argv);
            report.variables = rehearsal.variables;
        }
        Err(_) if settings.agent_type.is_any_program() && settings.command.is_empty() => {
            report.notes.push(
                "runs the program that each task names: run-agent job --agent command -- PROGRAM".to_owned(),
            );
        }
        Err(e) => report.fails(e.kind(), e.chain(), e.hint()),
    }
    match (&checked.reply, agents::of_type(settings.agent_type).program()) {
        (Some(VersionReply::Version(version)), _) => report.version = Some(version.clone()),
        (Some(VersionReply::Nothing(why)), _) => {
            let text = format!("the program {why}");
            report.fails(
                Kind::Failed,
                text,
                Some("start it by hand; if it does not start, install it again"),
            );
        }
        (None, Program::Own(_)) if settings.command.is_empty() => {
            report.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        }
        (None, _) => {}
    }
    match credentials {
        Credentials::Missing(missing) => {
            let text = format!("no credentials: {}", missing.looked);
            report.fails(Kind::BadToken, text, Some(&missing.hint));
        }
        Credentials::Unknown(why) if report.usable => {
            report.notes.push(format!("no key and no login was found, but {why}"));
        }
        _ => {}
    }
    report
}

fn notes(checked: &AgentProgram<'_>, report: &Report, default: Option<&str>) -> Vec<String> {
    let settings = checked.agent.settings;
    let mut notes = Vec::new();
    let agent = agents::of_type(settings.agent_type);
    notes.extend(report.variables.iter().filter_map(|name| agent.explain(name)).map(str::to_owned));
    let is_cli = checked.agent.answers();
    if is_cli && settings.permissions == Permissions::Ask {
        notes.push(
            "permissions: ask: no person answers, so every tool that is not allowed beforehand is denied"
                .to_owned(),
        );
    }
    if default == Some(&*report.agent) {
        notes.push("default agent: used for tasks that name no agent".to_owned());
    }
    notes
}

impl Report {
    fn fails(&mut self, kind: Kind, problem: String, hint: Option<&str>) {
        // Only the first failure is reported, because it usually causes the others.
        if self.usable {
            self.problems.push(Problem { problem, hint: hint.map(str::to_owned) });
            self.kind = Some(kind);
        }
        self.usable = false;
    }
}
