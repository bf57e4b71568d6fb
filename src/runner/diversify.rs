//! Which of several agents works on a task that names none, and which one tries after a failure.

use crate::config::{Config, Strategy};

/// The agent of the `n`th task; `None` where tasks are not spread.
#[must_use]
pub fn choose(config: &Config, n: usize) -> Option<String> {
    let settings = &config.defaults.diversification;
    if !settings.enabled {
        return None;
    }
    let agents = names(config);
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

/// The agent that tries after `failed` did; `None`: the same again.
pub(super) fn after_failure(config: &Config, failed: &str) -> Option<String> {
    let settings = &config.defaults.diversification;
    if !settings.enabled || !settings.fallback_on_failure {
        return None;
    }
    let agents = names(config);
    let at = agents.iter().position(|a| a == failed)?;
    agents.get((at + 1) % agents.len()).cloned()
}

fn names(config: &Config) -> Vec<String> {
    let named = &config.defaults.diversification.agents;
    if named.is_empty() { config.agents.keys().cloned().collect() } else { named.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Diversification, Environment, Flags};

    fn plain() -> Config {
        let environment = Environment::from_iter([("HOME", "/nonexistent")]);
        config::load(&Flags::default(), &environment, std::path::Path::new("/nonexistent")).unwrap().config
    }

    fn config(strategy: Strategy, weights: &[u32]) -> Config {
        let mut config = plain();
        config.defaults.diversification = Diversification {
            enabled: true,
            strategy,
            agents: ["a", "b", "c"].map(str::to_owned).to_vec(),
            weights: weights.to_vec(),
            fallback_on_failure: true,
        };
        config
    }

    fn sequence(config: &Config) -> String {
        (0..8).filter_map(|n| choose(config, n)).collect()
    }

    #[test]
    fn agents_take_turns_by_number_or_weight() {
        assert_eq!(sequence(&config(Strategy::RoundRobin, &[])), "abcabcab");
        assert_eq!(sequence(&config(Strategy::Weighted, &[2, 1, 1])), "aabcaabc");
        assert_eq!(sequence(&config(Strategy::Weighted, &[1, 0, 1])), "acacacac");
        assert_eq!(choose(&plain(), 0), None);
    }

    #[test]
    fn the_next_in_line_tries_after_a_failure() {
        let config = config(Strategy::RoundRobin, &[]);
        assert_eq!(after_failure(&config, "c").as_deref(), Some("a"));
        assert_eq!(after_failure(&config, "other"), None);
    }
}
