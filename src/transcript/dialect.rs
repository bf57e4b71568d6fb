//! Which agent's words a stream is made of.

use crate::tree::run_info::RunInfo;

/// The driver of a run at a person's own terminal.
pub const WRAP: &str = "wrap";

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
    /// The dialect of a run's agent. What is said at a person's own terminal (`wrap`) is not recorded.
    #[must_use]
    pub fn of_run(info: &RunInfo) -> Self {
        match info.agent_type.as_str() {
            _ if info.driver == WRAP => Self::Text,
            "claude" => Self::Claude,
            "codex" => Self::Codex,
            "gemini" => Self::Gemini,
            "opencode" => Self::Opencode,
            "perplexity" | "xai" => Self::Native,
            _ => Self::Text,
        }
    }

    /// Whether its stream says how the turn ended: without that word a run has not succeeded.
    #[must_use]
    pub fn has_last_word(self) -> bool {
        self != Self::Text
    }
}
