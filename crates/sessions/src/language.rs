//! The languages of conversations: the lines that an agent understands, and the meaning of its own lines.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    effect::Ask,
    news::{News, Request},
    stream_json,
};
use tree::{kinds::Protocol, session::ApprovalLine};

/// The language of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// JSON lines with control requests in both directions.
    StreamJson,
}

impl Language {
    /// Returns the language of a protocol; `None` if the protocol holds no conversation.
    #[must_use]
    pub fn of(protocol: &Protocol) -> Option<Self> {
        match protocol {
            Protocol::ClaudeStream => Some(Self::StreamJson),
            Protocol::Exec | Protocol::Wrap | Protocol::Unknown(_) => None,
        }
    }

    /// Returns the lines that open a conversation with a new process.
    pub(crate) fn opening(self) -> Vec<Request> {
        match self {
            Self::StreamJson => vec![stream_json::initialize()],
        }
    }

    /// Returns the facts in a line of the agent.
    pub(crate) fn read(self, line: &Value) -> Vec<News> {
        match self {
            Self::StreamJson => stream_json::read(line),
        }
    }

    /// Returns the name of a line in stdin.jsonl.
    pub(crate) fn key_of(self, line: &Value) -> Option<String> {
        match self {
            Self::StreamJson => stream_json::key_of(line),
        }
    }

    /// Returns the name of the line with a message.
    pub(crate) fn message_key(self, message: &str) -> String {
        match self {
            Self::StreamJson => stream_json::message_key(message),
        }
    }

    /// Returns the name of the line with a request of ours.
    pub(crate) fn request_key(self, request: &str) -> String {
        match self {
            Self::StreamJson => stream_json::request_key(request),
        }
    }

    /// Returns the name of the line that answers a request of the agent.
    pub(crate) fn answer_key(self, request: &str) -> String {
        match self {
            Self::StreamJson => stream_json::response_key(request),
        }
    }

    /// Returns the message that starts a turn.
    pub(crate) fn turn(self, message: &str, text: &str) -> Request {
        match self {
            Self::StreamJson => stream_json::turn(message, text),
        }
    }

    /// Returns the request to interrupt the turn that runs.
    pub(crate) fn interrupt(self, request: &str) -> Request {
        match self {
            Self::StreamJson => stream_json::interrupt(request),
        }
    }

    /// Returns the answer to a request of the agent.
    pub(crate) fn answer(self, ask: &Ask, answer: &ApprovalLine) -> Request {
        match self {
            Self::StreamJson => stream_json::answer(ask, answer),
        }
    }
}
