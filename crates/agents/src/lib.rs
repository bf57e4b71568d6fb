//! Agents: the program that runs for a name in the configuration, how it is called, and what its stream means.
//!
//! Each agent is a folder that implements [`Agent`], and a line in [`AGENTS`]; no other code names one. The configuration
//! (a lower module) gets the types as data, and records keep any word, so neither changes for a new agent.
//!
//! An agent's folder builds its command; it starts nothing and writes nothing. The [`demo`] agent is a program of its own
//! that happens to live in this binary. So are the agents that are APIs ([`chat`]), and the one that [`replay`]s a run.
//! Each agent's flags, variables and limits are explained to users in docs/agents.md.

mod agent;
pub mod chat;
mod claude;
mod codex;
mod command;
mod credentials;
pub mod demo;
mod error;
mod find;
mod gemini;
mod installed;
mod login;
mod opencode;
mod perplexity;
mod plan;
mod preamble;
mod provider_keys;
pub mod replay;
mod request;
#[cfg(test)]
mod testing;
mod xai;

use std::sync::LazyLock;

pub use agent::{Agent, Program};
pub use credentials::{Credentials, credentials, how_to_sign_in};
pub use error::{AgentError, MissingCredentials};
pub use find::{find, program};
pub use installed::{Installed, VersionReply, ask_version, file_mark, installed, version_of};
pub use login::{Files, Folder, Login, OnDisk, Search};
pub use plan::plan;
pub use request::{AgentCommand, Call, PlanFor, PromptSource, RunFile, User};

use config::{AgentType, AgentTypes};
use tree::{kinds::Protocol, run_info::RunInfo, transcript::Dialect};

/// The registry: every agent, in the order of the documentation.
pub static AGENTS: &[&dyn Agent] = &[
    &demo::Demo,
    &ANY_PROGRAM,
    &claude::Claude,
    &codex::Codex,
    &gemini::Gemini,
    &opencode::Opencode,
    &perplexity::AGENT,
    &xai::AGENT,
];

/// The agent for names and settings that select no other type.
const ANY_PROGRAM: command::Command = command::Command;

/// The types of all agents, for [`config::load`].
#[must_use]
pub fn agent_types() -> AgentTypes {
    static ALL: LazyLock<Vec<AgentType>> =
        LazyLock::new(|| AGENTS.iter().map(|agent| agent.agent_type()).collect());
    AgentTypes::new(&ALL, ANY_PROGRAM.agent_type())
}

/// Returns true if an agent's program sets this variable for the processes below it.
#[must_use]
pub fn is_mark(variable: &str) -> bool {
    let is = |mark: &&str| match mark.strip_suffix('*') {
        Some(beginning) => variable.starts_with(beginning),
        None => *mark == variable,
    };
    AGENTS.iter().flat_map(|agent| agent.marks()).any(is)
}

/// The agent of a type of the configuration.
#[must_use]
pub fn of_type(agent_type: AgentType) -> &'static dyn Agent {
    of_word(agent_type.as_str()).unwrap_or(&ANY_PROGRAM)
}

/// The agent of a record's word for a type; `None` if this version has no such agent.
#[must_use]
pub fn of_word(word: &str) -> Option<&'static dyn Agent> {
    AGENTS.iter().copied().find(|agent| agent.agent_type().as_str() == word)
}

/// The language of a run's standard output. A conversation at a user's terminal (`wrap`) is not recorded.
#[must_use]
pub fn dialect_of(info: &RunInfo) -> Dialect {
    match of_word(info.agent_type.as_str()) {
        Some(agent) if info.protocol != Protocol::Wrap => agent.dialect(),
        _ => Dialect::Text,
    }
}
