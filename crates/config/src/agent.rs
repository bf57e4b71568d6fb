//! Settings of one agent: its program and its call.
//!
//! The configuration knows no agent by its name. The types that exist are data that the caller of
//! [`load`](super::load()) passes in (`agents` has the registry), so a new agent changes no file here.

use std::fmt;

use super::words::words;
use base::secret::Secret;

/// The facts about a type of agent that reading a configuration takes.
#[derive(Debug)]
pub struct AgentKind {
    /// The word for the type, which is also the usual name of such an agent.
    pub name: &'static str,
    /// Names of the environment variables that such an agent takes its own key from, the usual one first.
    pub key_variables: &'static [&'static str],
    /// Variables of tokens that are no API keys, each with the prefix that tells such a token.
    pub token_variables: &'static [(&'static str, &'static str)],
    /// Variables with keys that its own settings may choose. A token never goes there.
    pub provider_keys: &'static [&'static str],
    /// The origin of its program.
    pub program: ProgramOrigin,
}

/// The place that decides which program a type of agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramOrigin {
    /// The type: `command` only replaces its usual program.
    Type,
    /// The configuration or the task: without `command` there is nothing to run.
    Configuration,
}

/// A type of agent. Two are equal exactly if their names are.
#[derive(Clone, Copy)]
pub struct AgentType(&'static AgentKind);

impl AgentType {
    /// The type with these facts.
    #[must_use]
    pub const fn new(kind: &'static AgentKind) -> Self {
        Self(kind)
    }

    /// The word in files and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.name
    }

    /// Names of the environment variables that this agent takes its own key from, the usual one first.
    #[must_use]
    pub const fn key_variables(self) -> &'static [&'static str] {
        self.0.key_variables
    }

    /// Returns true if it runs any program that the configuration or a task names.
    #[must_use]
    pub fn is_any_program(self) -> bool {
        self.0.program == ProgramOrigin::Configuration
    }
}

impl PartialEq for AgentType {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for AgentType {}

impl fmt::Debug for AgentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AgentType").field(&self.as_str()).finish()
    }
}

impl fmt::Display for AgentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The types of agents that this program has, in the order of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTypes {
    all: &'static [AgentType],
    any_program: AgentType,
}

impl AgentTypes {
    /// These types; `any_program` is the one of an agent if its name and settings determine no other.
    #[must_use]
    pub const fn new(all: &'static [AgentType], any_program: AgentType) -> Self {
        Self { all, any_program }
    }

    /// Every type.
    #[must_use]
    pub const fn all(self) -> &'static [AgentType] {
        self.all
    }

    /// The type of an agent if its name and settings determine no other.
    #[must_use]
    pub const fn any_program(self) -> AgentType {
        self.any_program
    }

    /// The type of that name. An agent of such a name has it without saying so.
    #[must_use]
    pub fn of_name(self, name: &str) -> Option<AgentType> {
        self.all.iter().copied().find(|t| t.as_str() == name)
    }

    /// Returns true if an agent of this type must not see the variable, because it holds the key of another one.
    #[must_use]
    pub fn is_foreign_key(self, agent_type: AgentType, variable: &str) -> bool {
        let of =
            |t: &AgentType| t.key_variables().contains(&variable) || t.0.provider_keys.contains(&variable);
        !of(&agent_type) && self.all.iter().any(of)
    }
}

words!(
    /// The way in which a `command` agent receives its prompt.
    PromptDelivery {
        /// On its standard input.
        Stdin = "stdin",
        /// As the path of a file, the last argument.
        File = "file",
        /// As text, the last argument.
        Arg = "arg",
    }
);

words!(
    /// The agent's behaviour before an action.
    Permissions {
        /// The agent does not ask.
        Bypass = "bypass",
        /// The agent asks for approval.
        Ask = "ask",
    }
);

/// Settings of one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSettings {
    /// Type of the agent.
    pub agent_type: AgentType,
    /// Program and leading arguments; empty: the usual program of the type, found in PATH.
    pub command: Vec<String>,
    /// The way in which a `command` agent receives its prompt.
    pub prompt: PromptDelivery,
    /// The model to request; absent: the agent's own choice.
    pub model: Option<String>,
    /// Address of the provider; absent: the agent's own.
    pub base_url: Option<String>,
    /// Further arguments, appended to Conductor's own.
    pub args: Vec<String>,
    /// The agent's behaviour before an action.
    pub permissions: Permissions,
    /// Its key; absent: the agent's own login.
    pub token: Option<Secret>,
    /// The reason why the token file is unusable, as a sentence with the file and the configuration line. The agent is
    /// not called then.
    pub token_problem: Option<String>,
}

impl AgentSettings {
    /// Creates the settings of an agent without any configuration.
    #[must_use]
    pub fn new(agent_type: AgentType) -> Self {
        Self {
            agent_type,
            command: Vec::new(),
            prompt: PromptDelivery::Stdin,
            model: None,
            base_url: None,
            args: Vec::new(),
            permissions: Permissions::Bypass,
            token: None,
            token_problem: None,
        }
    }

    /// Returns the variable that passes the configured token to the agent, if there is a token.
    #[must_use]
    pub fn token_variable(&self) -> Option<&'static str> {
        let token = self.token.as_ref()?.expose();
        let kind = self.agent_type.0;
        let special = kind.token_variables.iter().find(|(prefix, _)| token.starts_with(prefix));
        special.map(|(_, variable)| *variable).or_else(|| kind.key_variables.first().copied())
    }
}

/// Types of agents for the tests of this module.
#[cfg(test)]
pub(super) mod samples {
    use super::{AgentKind, AgentType, AgentTypes, ProgramOrigin};

    const PLAIN: AgentKind = AgentKind {
        name: "demo",
        key_variables: &[],
        token_variables: &[],
        provider_keys: &[],
        program: ProgramOrigin::Type,
    };
    /// An agent without a key.
    pub(crate) const DEMO: AgentType = AgentType::new(&PLAIN);
    /// Any program.
    pub(crate) const COMMAND: AgentType =
        AgentType::new(&AgentKind { name: "command", program: ProgramOrigin::Configuration, ..PLAIN });
    /// An agent with two variables.
    pub(crate) const CODEX: AgentType = AgentType::new(&AgentKind {
        name: "codex",
        key_variables: &["CODEX_API_KEY", "OPENAI_API_KEY"],
        provider_keys: &["GROQ_API_KEY"],
        ..PLAIN
    });
    /// An agent with a token that is no API key.
    pub(crate) const CLAUDE: AgentType = AgentType::new(&AgentKind {
        name: "claude",
        key_variables: &["ANTHROPIC_API_KEY"],
        token_variables: &[("sk-ant-oat", "CLAUDE_CODE_OAUTH_TOKEN")],
        ..PLAIN
    });
    /// All of them.
    pub(crate) const TYPES: AgentTypes = AgentTypes::new(&[DEMO, COMMAND, CODEX, CLAUDE], COMMAND);
}

#[cfg(test)]
mod tests {
    use super::{
        samples::{CLAUDE, CODEX, DEMO, TYPES},
        *,
    };

    #[test]
    fn a_token_goes_where_its_agent_looks_for_it() {
        for (agent_type, token, variable) in [
            (CLAUDE, "sk-ant-api03-x", Some("ANTHROPIC_API_KEY")),
            (CLAUDE, "sk-ant-oat01-x", Some("CLAUDE_CODE_OAUTH_TOKEN")),
            (CODEX, "sk-x", Some("CODEX_API_KEY")),
            (DEMO, "x", None),
        ] {
            let settings =
                AgentSettings { token: Some(Secret::new(token)), ..AgentSettings::new(agent_type) };
            assert_eq!(settings.token_variable(), variable, "{token}");
        }
        assert_eq!(AgentSettings::new(CODEX).token_variable(), None);
    }

    #[test]
    fn a_key_is_foreign_to_every_agent_but_its_own() {
        for (agent_type, variable, is_foreign) in [
            (CODEX, "OPENAI_API_KEY", false),
            (CLAUDE, "OPENAI_API_KEY", true),
            (DEMO, "ANTHROPIC_API_KEY", true),
            (DEMO, "HOME", false),
            (CODEX, "GROQ_API_KEY", false),
            (CLAUDE, "GROQ_API_KEY", true),
        ] {
            assert_eq!(TYPES.is_foreign_key(agent_type, variable), is_foreign, "{variable} for {agent_type}");
        }
    }
}
