//! Settings, read once: the environment, the configuration file, and a task's own settings.
//!
//! [`load()`] returns values that are all decided and checked. Their users need not handle defaults, `~` or text to
//! parse. The meaning of a setting is defined by the module that uses it.

mod agent;
mod decode;
mod environment;
mod error;
mod executor;
mod face;
mod load;
mod node;
mod origin;
mod project;
mod section;
mod settings;
mod shape;
mod task_settings;
mod token;
mod trust;
mod units;
mod words;

pub use agent::{
    AgentKind, AgentSettings, AgentType, AgentTypes, Permissions, ProgramOrigin, PromptDelivery,
};
pub use base::secret::Secret;
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrorKind, Problem, ProblemKind};
pub use executor::ExecutorSettings;
pub use face::{Face, Faces};
pub use load::{Flags, Loaded, Loader, ProjectLayer, load, locate, usual_place};
pub use origin::Origin;
pub use project::{PROJECT_FILE, ProjectFile, ProjectUse};
pub use section::Setting;
pub use settings::{
    AgentEnv, Api, ApiKey, Config, Defaults, Diversification, Limits, Port, Scope, Storage, Strategy,
    TaskStart, Watch, WatchMode, Webhook,
};
pub use task_settings::TaskSettings;
pub use task_settings::{task_keys, unit_problem};
pub use token::key_file;
pub use trust::{Trust, TrustError, Trusted};
pub use units::{BadDuration, duration as parse_duration, spell_duration};
