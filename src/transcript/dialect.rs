//! The language of a stream, by the agent that wrote it.

use crate::tree::{
    kinds::{AgentType, Protocol},
    run_info::RunInfo,
};

/// The language of an agent's standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Words for people: it gives no events, and its exit status alone says how it ended.
    Text,
    /// `claude -p --output-format stream-json`.
    Claude,
    /// `codex exec --json`.
    Codex,
    /// `gemini -o stream-json`.
    Gemini,
    /// `opencode run --format json`.
    Opencode,
    /// Our own events, as the HTTP agents inside this binary print them.
    Native,
}

impl Dialect {
    /// The dialect of a run's agent. A conversation at a person's own terminal (`wrap`) is not recorded.
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

    /// Whether its stream says how the turn ended: without that word a run has not succeeded.
    #[must_use]
    pub fn has_last_word(self) -> bool {
        self != Self::Text
    }
}
