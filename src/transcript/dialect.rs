//! The dialect of a stream, derived from the agent that wrote it.

use crate::tree::{
    kinds::{AgentType, Protocol},
    run_info::RunInfo,
};

/// The dialect of an agent's standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Text for people. It produces no events, and only the exit status shows the outcome.
    Text,
    /// `claude -p --output-format stream-json`.
    Claude,
    /// `codex exec --json`.
    Codex,
    /// `gemini -o stream-json`.
    Gemini,
    /// `opencode run --format json`.
    Opencode,
    /// Conductor's own events, as the HTTP agents inside this binary print them.
    Native,
}

impl Dialect {
    /// Returns the dialect of a run's agent. A conversation at a person's own terminal (`wrap`) is not recorded.
    #[must_use]
    pub fn of_run(info: &RunInfo) -> Self {
        match info.agent_type {
            _ if info.protocol == Protocol::Wrap => Self::Text,
            AgentType::Claude => Self::Claude,
            AgentType::Codex => Self::Codex,
            AgentType::Gemini => Self::Gemini,
            AgentType::Opencode => Self::Opencode,
            AgentType::Perplexity | AgentType::Xai => Self::Native,
            AgentType::Demo | AgentType::Command | AgentType::Unknown(_) => Self::Text,
        }
    }

    /// Returns true if the stream reports the end of a turn. Without that report the run has not succeeded.
    #[must_use]
    pub fn has_last_word(self) -> bool {
        self != Self::Text
    }
}
