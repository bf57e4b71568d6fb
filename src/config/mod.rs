//! Settings, read once: the environment, the configuration file, and what a task lays over them.
//!
//! [`load()`] answers with values that are all decided and checked; who uses them
//! finds no defaults, no `~` and no text to parse. What a setting does is
//! left to its user.

mod agent;
mod environment;
mod error;
mod load;
mod origin;
mod secret;
mod settings;
mod task_settings;

pub use agent::{AgentSettings, AgentType, Permissions, PromptDelivery};
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrorKind, Problem, What};
pub use load::{Flags, Loaded, Setting, load};
pub use origin::Origin;
pub use secret::Secret;
pub use settings::{
    Api, ApiKey, Config, Defaults, Diversification, Limits, Port, Scope, Storage, Strategy, TaskStart, Watch,
    WatchMode, Webhook,
};
pub use task_settings::TaskSettings;
