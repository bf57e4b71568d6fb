//! Settings of one agent: the program and the way in which it is called.

use super::words::words;
use crate::secret::Secret;

words!(
    /// The type of an agent.
    AgentType {
        /// The demo agent inside this binary.
        Demo = "demo",
        /// Any program, called as configured.
        Command = "command",
        /// Claude Code.
        Claude = "claude",
        /// OpenAI Codex.
        Codex = "codex",
        /// Google Gemini CLI.
        Gemini = "gemini",
        /// OpenCode.
        Opencode = "opencode",
        /// The Perplexity API.
        Perplexity = "perplexity",
        /// The xAI API.
        Xai = "xai",
    }
);

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

impl AgentType {
    /// Returns the type of an agent that has this name and no configured type. The usual agents are named after their
    /// types.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.as_str() == name)
    }

    /// Returns the names of the environment variables that this agent reads its own key from, the usual one first.
    #[must_use]
    pub fn key_variables(self) -> &'static [&'static str] {
        match self {
            Self::Demo | Self::Command => &[],
            Self::Claude => &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
            Self::Codex => {
                // `codex exec` ignores OPENAI_API_KEY unless a provider in its settings names it.
                &["CODEX_API_KEY", "OPENAI_API_KEY"]
            }
            Self::Gemini => &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            // The model decides which provider the agent calls.
            Self::Opencode => {
                &["OPENCODE_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "XAI_API_KEY"]
            }
            Self::Perplexity => &["PERPLEXITY_API_KEY"],
            Self::Xai => &["XAI_API_KEY"],
        }
    }
}

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
        match self.agent_type {
            // The output of `claude setup-token` is not an API key.
            AgentType::Claude if token.starts_with("sk-ant-oat") => Some("CLAUDE_CODE_OAUTH_TOKEN"),
            other => other.key_variables().first().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::kinds;

    #[test]
    fn records_know_every_type_that_can_be_configured() {
        let words: Vec<&str> = AgentType::ALL.iter().map(|t| t.as_str()).collect();
        let known: Vec<&str> = kinds::AgentType::KNOWN.iter().map(kinds::AgentType::as_str).collect();
        assert_eq!(words, known);
    }

    #[test]
    fn a_token_goes_where_its_agent_looks_for_it() {
        for (agent_type, token, variable) in [
            (AgentType::Claude, "sk-ant-api03-x", Some("ANTHROPIC_API_KEY")),
            (AgentType::Claude, "sk-ant-oat01-x", Some("CLAUDE_CODE_OAUTH_TOKEN")),
            (AgentType::Codex, "sk-x", Some("CODEX_API_KEY")),
            (AgentType::Demo, "x", None),
        ] {
            let settings =
                AgentSettings { token: Some(Secret::new(token)), ..AgentSettings::new(agent_type) };
            assert_eq!(settings.token_variable(), variable, "{token}");
        }
        assert_eq!(AgentSettings::new(AgentType::Codex).token_variable(), None);
    }
}
