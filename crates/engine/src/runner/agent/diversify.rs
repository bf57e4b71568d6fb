//! Chooses the agent for a task that names none, and the agent that tries after a failure.
//!
//! The order: the next in turn if tasks are spread over agents, `defaults.agent`, the only usable agent. The demo
//! agent works only for tasks that name it, because it answers any request with line counts, and reports success.

use std::path::Path;

use crate::runner::{
    Runner,
    agent::candidates::{Candidates, candidates},
    error::Result,
};
use agents::AgentError;
use config::{Diversification, Strategy};

/// The way in which an agent was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// The settings name it.
    BySettings(String),
    /// It is the only usable one here.
    AsTheOnlyOne(String),
}

impl Chosen {
    /// The agent's name.
    #[must_use]
    pub fn into_name(self) -> String {
        match self {
            Self::BySettings(name) | Self::AsTheOnlyOne(name) => name,
        }
    }
}

/// Returns the agent for a task that names none, in a project that has had `tasks` tasks.
///
/// # Errors
/// [`AgentError::NoChoice`] if the choice is not clear.
pub fn default_agent(runner: &Runner, cwd: &Path, tasks: usize) -> Result<Chosen> {
    if let Some(name) = choose(runner, cwd, tasks)? {
        return Ok(Chosen::BySettings(name));
    }
    if let Some(name) = &runner.config_in(cwd)?.defaults.agent {
        return Ok(Chosen::BySettings(name.clone()));
    }
    let Candidates { mut usable, problems } = candidates(runner, cwd)?;
    match usable.pop() {
        Some(only) if usable.is_empty() => Ok(Chosen::AsTheOnlyOne(only)),
        last => {
            usable.extend(last);
            Err(AgentError::NoChoice { usable, unusable: problems }.into())
        }
    }
}

/// Returns the agent of the `n`th task; `None` if tasks are not spread.
fn choose(runner: &Runner, cwd: &Path, n: usize) -> Result<Option<String>> {
    let all = runner.config_in(cwd)?;
    let settings = &all.defaults.diversification;
    Ok(if settings.enabled { nth(settings, &names(runner, settings, cwd)?, n) } else { None })
}

fn nth(settings: &Diversification, agents: &[String], n: usize) -> Option<String> {
    match settings.strategy {
        Strategy::RoundRobin => agents.get(n.checked_rem(agents.len())?).cloned(),
        Strategy::Weighted => {
            let weight = |at: usize| settings.weights.get(at).map_or(1, |w| usize::try_from(*w).unwrap_or(1));
            let total: usize = (0..agents.len()).map(weight).sum();
            let mut place = n.checked_rem(total)?;
            for (at, agent) in agents.iter().enumerate() {
                if place < weight(at) {
                    return Some(agent.clone());
                }
                place -= weight(at);
            }
            None
        }
    }
}

/// Returns the agent that tries after `failed` did; `None` if the same agent tries again.
pub(in crate::runner) fn after_failure(runner: &Runner, cwd: &Path, failed: &str) -> Result<Option<String>> {
    let all = runner.config_in(cwd)?;
    let settings = &all.defaults.diversification;
    let falls_back = settings.enabled && settings.fallback_on_failure;
    Ok(if falls_back { next(&names(runner, settings, cwd)?, failed) } else { None })
}

fn next(agents: &[String], failed: &str) -> Option<String> {
    let at = agents.iter().position(|a| a == failed)?;
    agents.get((at + 1) % agents.len()).cloned()
}

/// Returns the agents that take turns: the configured ones, else all usable ones.
fn names(runner: &Runner, settings: &Diversification, cwd: &Path) -> Result<Vec<String>> {
    let named = &settings.agents;
    Ok(if named.is_empty() { candidates(runner, cwd)?.usable } else { named.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).to_vec()
    }

    fn sequence(strategy: Strategy, weights: &[u32]) -> String {
        let settings = Diversification { strategy, weights: weights.to_vec(), ..Diversification::default() };
        (0..8).filter_map(|n| nth(&settings, &agents(), n)).collect()
    }

    #[test]
    fn agents_take_turns_by_number_or_weight() {
        assert_eq!(sequence(Strategy::RoundRobin, &[]), "abcabcab");
        assert_eq!(sequence(Strategy::Weighted, &[2, 1, 1]), "aabcaabc");
        assert_eq!(sequence(Strategy::Weighted, &[1, 0, 1]), "acacacac");
        assert_eq!(nth(&Diversification::default(), &[], 0), None);
    }

    #[test]
    fn the_next_in_line_tries_after_a_failure() {
        assert_eq!(next(&agents(), "c").as_deref(), Some("a"));
        assert_eq!(next(&agents(), "other"), None);
    }
}
