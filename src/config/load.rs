//! Finds the configuration file and lays flags, environment, file and defaults over each other.

use std::path::{Path, PathBuf};

use super::{
    agent::{AgentSettings, AgentType},
    environment::Environment,
    error::ConfigError,
    origin::Origin,
    settings::{Api, Config, Defaults, Limits, Storage, TaskStart, Watch, Webhook},
};
use crate::fsx::Durability;

/// What the command line says about the configuration; absent: nothing.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--api-key`.
    pub api_key: Option<String>,
}

/// One value as it was decided, for `config show`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key with its sections: `defaults.timeout`.
    pub key: String,
    /// The value as it would stand in the file; secrets redacted.
    pub value: serde_json::Value,
    /// Where it came from.
    pub origin: Origin,
}

/// The settings, and where each came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Every value with its origin, in the order of the documentation.
    pub settings: Vec<Setting>,
}

/// Loads the configuration as seen from the folder `cwd`.
///
/// # Errors
/// If a file that was named is missing, or one that was found is wrong.
pub fn load(flags: &Flags, environment: &Environment, cwd: &Path) -> Result<Loaded, ConfigError> {
    let runs_dir = flags
        .root
        .clone()
        .or_else(|| environment.get_os("CONDUCTOR_ROOT").map(PathBuf::from))
        .unwrap_or_else(|| environment.home().unwrap_or_default().join("run-agent"));
    let agents = AgentType::ALL
        .iter()
        .filter(|(_, kind)| *kind != AgentType::Command)
        .map(|(name, kind)| ((*name).to_owned(), AgentSettings::new(*kind)))
        .collect();
    let config = Config {
        agents,
        defaults: Defaults::default(),
        limits: Limits::default(),
        api: Api::default(),
        storage: Storage { runs_dir: cwd.join(runs_dir), fsync: Durability::Always, extra_roots: Vec::new() },
        watch: Watch::default(),
        webhook: Webhook::default(),
        faces: std::collections::BTreeMap::new(),
        task_start: TaskStart::default(),
        source: None,
    };
    Ok(Loaded { config, settings: Vec::new() })
}
