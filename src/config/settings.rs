//! The settings in their inner form: what the rest of the program works with, every value decided.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{agent::AgentSettings, secret::Secret, words::words};
use crate::fsx::Durability;

/// Everything that was decided before the program began to work.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Agents by name; the usual ones are there without being listed.
    pub agents: BTreeMap<String, AgentSettings>,
    /// What a task gets that says nothing else.
    pub defaults: Defaults,
    /// Brakes of a loop.
    pub limits: Limits,
    /// The HTTP server.
    pub api: Api,
    /// Where the tree lies and how durable it is.
    pub storage: Storage,
    /// How changes of the tree are noticed.
    pub watch: Watch,
    /// Whom to tell about ends of runs.
    pub webhook: Webhook,
    /// Settings of the faces, by name; each face understands its own.
    pub faces: BTreeMap<String, Value>,
    /// Whether the daemon starts tasks.
    pub task_start: TaskStart,
    /// The file that was read.
    pub source: Option<PathBuf>,
}

impl Config {
    /// Every secret in the settings, for whoever keeps them out of texts.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let agents = self.agents.values().filter_map(|a| a.token.as_ref());
        let keys = self.api.keys.iter().map(|k| &k.key);
        agents.chain(keys).chain(&self.api.api_key).chain(&self.webhook.secret)
    }
}

/// What a task gets that says nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// Name of the agent; absent: the one that can be used, if there is exactly one.
    pub agent: Option<String>,
    /// Longest silence of a run.
    pub timeout: Option<Duration>,
    /// Longest life of a run.
    pub max_run_time: Option<Duration>,
    /// How often a loop starts its agent again.
    pub max_restarts: u32,
    /// Pause before a restart; doubles while runs fail quickly.
    pub restart_delay: Duration,
    /// The longest such pause; never shorter than `restart_delay`.
    pub restart_delay_max: Duration,
    /// How long an agent may wait out a usage limit by itself before its loop does.
    pub limit_patience: Duration,
    /// How long a finished task waits for its children.
    pub child_wait_timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// Whether what a run changes in its work folder, a git repository's, is kept.
    pub record_changes: bool,
    /// Root tasks that may be live at a time.
    pub max_concurrent_root_tasks: Option<NonZeroU32>,
    /// Runs that may be live at a time.
    pub max_concurrent_runs: Option<NonZeroU32>,
    /// Spreads tasks over agents.
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
            record_changes: true,
            max_concurrent_root_tasks: None,
            max_concurrent_runs: None,
            diversification: Diversification::default(),
        }
    }
}

words!(
    /// How the next agent is chosen.
    #[derive(Default)]
    Strategy {
        /// One after the other.
        #[default]
        RoundRobin = "round-robin",
        /// In proportion to their weights.
        Weighted = "weighted",
    }
);

/// Spreads tasks that name no agent over several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diversification {
    /// Whether it is on.
    pub enabled: bool,
    /// How the next agent is chosen.
    pub strategy: Strategy,
    /// Their names; empty: all that are configured.
    pub agents: Vec<String>,
    /// One weight per agent.
    pub weights: Vec<u32>,
    /// Whether a failed run is tried again with the next agent.
    pub fallback_on_failure: bool,
}

/// Brakes of a loop: hitting one posts a QUESTION and stops.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// US dollars over all runs of the task.
    pub max_cost_usd: Option<f64>,
    /// Tokens over all runs of the task.
    pub max_tokens: Option<u64>,
    /// Runs in a row that change nothing.
    pub no_progress_runs: Option<u32>,
}

/// Which port the server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This one, or it does not start: somebody asked for it by flag or environment.
    Exactly(u16),
    /// The first free one of a hundred from here.
    FirstFree(u16),
}

words!(
    /// What a key allows; each allows what the ones before it do.
    #[derive(Default, PartialOrd, Ord)]
    Scope {
        /// Reading.
        #[default]
        Read = "read",
        /// Starting, stopping and taking up work, and posting messages.
        Run = "run",
        /// Everything.
        Admin = "admin",
    }
);

impl Scope {
    /// The scope of this name.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == word)
    }
}

/// One key of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Who uses it, for the log.
    pub name: String,
    /// The key.
    pub key: Secret,
    /// What it allows.
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
    /// Whether a key is asked for.
    pub auth_enabled: bool,
    /// The one key, scope `admin`.
    pub api_key: Option<Secret>,
    /// More keys.
    pub keys: Vec<ApiKey>,
    /// Serves other addresses than loopback without a key.
    pub allow_unauthenticated: bool,
    /// `Host` headers to accept beside localhost and our own address.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages that may call.
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

/// Where the tree lies and how durable it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The root of the tree, absolute.
    pub runs_dir: PathBuf,
    /// When an append counts as done.
    pub fsync: Durability,
    /// Further roots that are shown, absolute.
    pub extra_roots: Vec<PathBuf>,
}

words!(
    /// How changes of the tree are noticed.
    #[derive(Default)]
    WatchMode {
        /// By the kernel where it can, else by looking.
        #[default]
        Auto = "auto",
        /// By the kernel only.
        Native = "native",
        /// By looking only.
        Poll = "poll",
    }
);

/// How changes of the tree are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The way.
    pub mode: WatchMode,
    /// Time between looks at everything.
    pub sweep: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { mode: WatchMode::default(), sweep: Duration::from_secs(30) }
    }
}

/// Whom to tell about ends of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where to post; absent: nowhere.
    pub url: Option<String>,
    /// Which events.
    pub events: Vec<String>,
    /// Key of the signature.
    pub secret: Option<Secret>,
    /// Longest wait for an answer.
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

/// Whether the daemon starts tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskStart {
    /// It does.
    #[default]
    Enabled,
    /// It only shows what is there.
    Disabled,
}
