//! The agents that a run could use: installed, and able to log in as far as this process can tell.

use std::path::Path;

use crate::runner::{Runner, agent::launch, error::Result};
use agents::{Credentials, Installed};

/// The configured agents, split by whether a run in some folder could use them.
#[derive(Debug, Default)]
pub struct Candidates {
    /// The agents that are installed and can log in, as far as this process can tell.
    pub usable: Vec<String>,
    /// The reasons that the others cannot be used, of those that are installed or configured.
    pub problems: Vec<String>,
}

/// Examines the agents as a run in `cwd` would find them, without the demo agent. Starts nothing.
///
/// # Errors
/// If the settings of that folder are invalid.
pub fn candidates(runner: &Runner, cwd: &Path) -> Result<Candidates> {
    let path = runner.search_path();
    let all = runner.config_in(cwd)?;
    let mut found = Candidates::default();
    for agent in agents::installed(&all, &runner.program, &path, cwd) {
        if !agents::of_type(agent.settings.agent_type).is_candidate() || agent.needs_command() {
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

/// Returns the reason that an agent cannot be used; `None` if it can, as far as this process can tell without asking
/// the agent's service.
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

/// Returns true if the user wants to use an agent: it is configured under another name than its type, or its program
/// is installed. The agents that call chat APIs are part of this program.
fn is_wanted(runner: &Runner, agent: &Installed<'_>) -> bool {
    let named = agent.name != agent.settings.agent_type.as_str();
    named || agent.program.as_ref().is_ok_and(|program| *program != runner.program)
}
