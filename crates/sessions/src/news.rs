//! The words that all languages share: a line for the agent, and a fact in a line of the agent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::effect::Ask;
use tree::kinds::TurnEnd;

/// A line for the agent, with the name by which it is recognized in stdin.jsonl.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) key: String,
    pub(crate) line: Value,
}

/// A fact in a line of the agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    /// The agent takes messages.
    Ready,
    /// The agent has begun a turn with this message.
    Began { message: String },
    /// A turn has ended.
    Ended { messages: Messages, end: TurnEnd, reason: Option<String> },
    /// The agent asks for a decision.
    Asked(Ask),
    /// The agent does not wait for this decision any more.
    AskEnded { request: String },
    /// The agent has sent a request that this version does not know; with the answer.
    Unanswerable(Request),
    /// The agent has answered a request of ours.
    Replied { request: String, error: Option<String> },
    /// This number of tasks runs in the agent's background.
    Background(usize),
}

/// The messages that a turn has answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Messages {
    /// These.
    These(Vec<String>),
    /// The one of the turn that runs. Older versions of an agent do not name it.
    Running,
}
