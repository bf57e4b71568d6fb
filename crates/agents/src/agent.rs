//! The one trait behind which every agent stands.
//!
//! A folder of `agents` implements it for one agent. All other code asks the registry ([`super::AGENTS`]) and never
//! names an agent, so a new agent is a folder and its line there.

use std::fmt;

use super::{
    chat::Api,
    error::AgentError,
    login::{Login, Search},
    request::{Call, PlanFor},
};
use config::{AgentSettings, AgentType};
use tree::{kinds::Protocol, transcript::Dialect};

/// One agent: how it is called, what its stream means, how it logs in, where its program comes from.
///
/// Nothing here starts a program or writes a file.
pub trait Agent: fmt::Debug + Sync {
    /// The facts that the configuration reader needs.
    fn agent_type(&self) -> AgentType;

    /// The program that runs if the configuration names none.
    fn program(&self) -> Program;

    /// The service, if the agent calls an API instead of running a program.
    fn api(&self) -> Option<&'static Api> {
        None
    }

    /// The arguments after the program, the variables, and the place of the prompt.
    ///
    /// # Errors
    /// If the prompt cannot be given to the agent.
    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError>;

    /// The protocol in which the agent holds a conversation; `None` if it takes one prompt only.
    fn conversation(&self) -> Option<Protocol> {
        None
    }

    /// The arguments and variables for a conversation, for an agent that has a protocol for one.
    fn converse(&self, _of: &PlanFor<'_>) -> Option<Call> {
        None
    }

    /// The language of its standard output.
    fn dialect(&self) -> Dialect;

    /// The place of its own login; `None` if it needs no credentials.
    fn login(&self) -> Option<Login>;

    /// Returns true if it reads its key from this variable, which is one of its `key_variables`.
    fn reads_key(&self, _variable: &str, _settings: &AgentSettings) -> bool {
        true
    }

    /// A sign that the agent logs in by a way that [`Login`] does not cover; worded to follow "no key and no login
    /// was found, but".
    fn another_way(&self, _of: &Search<'_>) -> Option<String> {
        None
    }

    /// Returns true if a configured token replaces all keys of the environment, because another key might take
    /// precedence.
    fn token_replaces_keys(&self) -> bool {
        true
    }

    /// Returns true if it may be chosen for a task that names no agent.
    fn is_candidate(&self) -> bool {
        true
    }

    /// Variables that keep its program from looking for a newer version, and from reporting that it was started.
    fn quiet(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Variables that its program sets for the processes below it. Another agent must not believe that it runs inside
    /// this one. A name that ends with `*` stands for all names that begin so. A variable that users set is none of them.
    fn marks(&self) -> &'static [&'static str] {
        &[]
    }

    /// An explanation of a variable that its call sets, for `validate`.
    fn explain(&self, _variable: &str) -> Option<&'static str> {
        None
    }
}

/// The origin of an agent's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A program of its maker, named after the type and found in `$PATH`.
    Installed {
        /// The command that installs it.
        install: &'static str,
    },
    /// A verb of this program, with its leading arguments.
    Own(&'static [&'static str]),
    /// Any program: the configuration or the task names it.
    Any,
}
