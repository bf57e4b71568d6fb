//! The settings in their inner form, as the rest of the program uses them: every value is decided.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use super::{
    agent::{AgentSettings, AgentTypes},
    executor::ExecutorSettings,
    face::Faces,
    words::words,
};
use base::{fsx::Durability, secret::Secret};

/// Everything that is decided before the program begins to work.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The types of agents that this program has.
    pub agent_types: AgentTypes,
    /// Agents by name; the usual ones are there without being listed.
    pub agents: BTreeMap<String, AgentSettings>,
    /// Defaults of a task.
    pub defaults: Defaults,
    /// Limits of a loop.
    pub limits: Limits,
    /// The environment of agents.
    pub env: AgentEnv,
    /// The HTTP server.
    pub api: Api,
    /// Place and durability of the tree.
    pub storage: Storage,
    /// Detection of changes in the tree.
    pub watch: Watch,
    /// Notification of ends of runs.
    pub webhook: Webhook,
    /// APIs of other systems.
    pub faces: Faces,
    /// Executors by name, beside the one of this machine.
    pub executors: BTreeMap<String, ExecutorSettings>,
    /// Decides if the daemon starts tasks.
    pub task_start: TaskStart,
    /// The file that was read.
    pub source: Option<PathBuf>,
}

impl Config {
    /// Returns every secret in the settings, for redaction.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let agents = self.agents.values().filter_map(|a| a.token.as_ref());
        let keys = self.api.keys.iter().map(|k| &k.key);
        agents.chain(keys).chain(&self.api.api_key).chain(&self.webhook.secret)
    }
}

/// Defaults of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// Name of the agent; absent: the only usable agent, if there is exactly one.
    pub agent: Option<String>,
    /// Longest time of a run without output.
    pub timeout: Option<Duration>,
    /// Longest time of a run.
    pub max_run_time: Option<Duration>,
    /// Largest number of restarts in a loop.
    pub max_restarts: u32,
    /// Pause before a restart. It doubles while runs fail quickly.
    pub restart_delay: Duration,
    /// The longest such pause; never shorter than `restart_delay`.
    pub restart_delay_max: Duration,
    /// Longest time for which an agent may wait out a usage limit by itself before its loop takes over the waiting.
    pub limit_patience: Duration,
    /// Longest time that a finished task waits for its child tasks.
    pub child_wait_timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// Longest time for which an agent may stay after its final result, with nothing working in the background.
    pub exit_grace: Option<Duration>,
    /// Records a run's changes in its work folder, if that belongs to a git repository.
    pub record_changes: bool,
    /// Largest number of live root tasks.
    pub max_concurrent_root_tasks: Option<NonZeroU32>,
    /// Largest number of live runs.
    pub max_concurrent_runs: Option<NonZeroU32>,
    /// Distribution of tasks over agents.
    pub diversification: Diversification,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            agent: None,
            timeout: None,
            max_run_time: None,
            max_restarts: 100,
            restart_delay: Duration::from_secs(1),
            restart_delay_max: Duration::from_mins(1),
            limit_patience: Duration::from_mins(10),
            child_wait_timeout: Duration::from_mins(5),
            stop_grace: Duration::from_secs(10),
            exit_grace: Some(Duration::from_mins(1)),
            record_changes: true,
            max_concurrent_root_tasks: None,
            max_concurrent_runs: None,
            diversification: Diversification::default(),
        }
    }
}

words!(
    /// The way in which the next agent is chosen.
    #[derive(Default)]
    Strategy {
        /// One after the other.
        #[default]
        RoundRobin = "round-robin",
        /// In proportion to their weights.
        Weighted = "weighted",
    }
);

/// Distribution of tasks that name no agent over several agents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diversification {
    /// Enables diversification.
    pub enabled: bool,
    /// The way in which the next agent is chosen.
    pub strategy: Strategy,
    /// Names of the agents; empty: all configured agents.
    pub agents: Vec<String>,
    /// One weight per agent.
    pub weights: Vec<u32>,
    /// Retries a failed run with the next agent.
    pub fallback_on_failure: bool,
}

/// Limits of a loop. A loop that reaches one posts a QUESTION and stops.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// US dollars over all runs of the task.
    pub max_cost_usd: Option<f64>,
    /// Tokens over all runs of the task.
    pub max_tokens: Option<u64>,
    /// Runs in a row that change nothing.
    pub no_progress_runs: Option<u32>,
}

/// The environment that agents inherit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentEnv {
    /// Names of keys of other agents and of providers that every agent inherits all the same.
    pub pass: Vec<String>,
}

/// The choice of the server's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This port, or the server does not start, because a flag or variable requests the port.
    Exactly(u16),
    /// The first free one of a hundred ports from here.
    FirstFree(u16),
}

words!(
    /// The permissions of a key. Each scope includes the ones before it.
    #[derive(Default, PartialOrd, Ord)]
    Scope {
        /// Reading.
        #[default]
        Read = "read",
        /// Starting, stopping and resuming work, and posting messages.
        Run = "run",
        /// Everything.
        Admin = "admin",
    }
);

impl Scope {
    /// Returns the scope with this name.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == word)
    }
}

/// One key of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Name of its user, for the log.
    pub name: String,
    /// The key.
    pub key: Secret,
    /// Permissions of the key.
    pub scope: Scope,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// The address it listens on.
    pub host: String,
    /// The port it listens on.
    pub port: Port,
    /// A socket of the file system to listen on, too.
    pub socket: Option<PathBuf>,
    /// Requires a key.
    pub auth_enabled: bool,
    /// The single key, with scope `admin`.
    pub api_key: Option<Secret>,
    /// Further keys.
    pub keys: Vec<ApiKey>,
    /// Allows addresses other than loopback without a key.
    pub allow_unauthenticated: bool,
    /// `Host` headers to accept beside localhost and the server's own address.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call the server.
    pub cors_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub max_body: u64,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: Port::FirstFree(14355),
            socket: None,
            auth_enabled: false,
            api_key: None,
            keys: Vec::new(),
            allow_unauthenticated: false,
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            max_body: 1024 * 1024,
        }
    }
}

/// Place and durability of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The root of the tree, absolute.
    pub runs_dir: PathBuf,
    /// The time at which an append counts as done.
    pub fsync: Durability,
    /// Further roots that are shown, absolute.
    pub extra_roots: Vec<PathBuf>,
}

words!(
    /// The way in which changes of the tree are detected.
    #[derive(Default)]
    WatchMode {
        /// Kernel notifications if available, else polling.
        #[default]
        Auto = "auto",
        /// Kernel notifications only.
        Native = "native",
        /// Polling only.
        Poll = "poll",
    }
);

/// Detection of changes in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The way of detection.
    pub mode: WatchMode,
    /// Time between two full sweeps.
    pub sweep: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { mode: WatchMode::default(), sweep: Duration::from_secs(30) }
    }
}

/// Notification of ends of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Address of the POST requests; absent: no notification.
    pub url: Option<String>,
    /// The events to send.
    pub events: Vec<String>,
    /// Key for the signature.
    pub secret: Option<Secret>,
    /// Longest time to wait for an answer.
    pub timeout: Duration,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: None,
            events: vec!["run_stop".to_owned()],
            secret: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Decides if the daemon starts tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskStart {
    /// The daemon starts tasks.
    #[default]
    Enabled,
    /// The daemon only shows the tree.
    Disabled,
}
