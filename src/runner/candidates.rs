//! Which agents a run could use: installed, and able to log in as far as can be told.

use std::path::Path;

use super::{Runner, error::Result, launch};
use crate::{
    agents::{self, Credentials, Installed},
    config::AgentType,
};

/// The configured agents, by whether a run in some folder could use them.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Those that are installed and can log in, as far as can be told.
    pub usable: Vec<String>,
    /// Why each of the others cannot be used that somebody has installed or configured.
    pub problems: Vec<String>,
}

/// Looks at the agents as a run in `cwd` would find them; the demo agent is left out. Starts nothing.
///
/// # Errors
/// If the settings of that folder are wrong.
pub fn candidates(runner: &Runner, cwd: &Path) -> Result<Candidates> {
    let path = runner.search_path();
    let all = runner.config_in(cwd)?;
    let mut found = Candidates::default();
    for agent in agents::installed(&all, &runner.program, &path, cwd) {
        if agent.settings.agent_type == AgentType::Demo || agent.needs_command() {
            continue;
        }
        match problem(runner, &agent, cwd) {
            None => found.usable.push(agent.name.to_owned()),
            Some(problem) if is_wanted(runner, &agent) => found.problems.push(problem),
            Some(_) => {}
        }
    }
    Ok(found)
}

/// Why an agent cannot be used; `None` if it can, as far as can be told without asking its service.
#[must_use]
pub fn problem(runner: &Runner, agent: &Installed<'_>, cwd: &Path) -> Option<String> {
    if let Err(e) = &agent.program {
        return Some(e.to_string());
    }
    if let Some(problem) = &agent.settings.token_problem {
        return Some(problem.clone());
    }
    match launch::credentials_of(runner, agent.name, cwd) {
        Ok(Credentials::Missing(missing)) => Some(missing.to_string()),
        Ok(_) => None,
        Err(e) => Some(e.to_string()),
    }
}

/// Whether the user means to use an agent: one of another name than its type is configured, a program is installed. The
/// agents that are APIs come with this program.
fn is_wanted(runner: &Runner, agent: &Installed<'_>) -> bool {
    let named = agent.name != agent.settings.agent_type.as_str();
    named || agent.program.as_ref().is_ok_and(|program| *program != runner.program)
}
