//! Agents that are an API and no program: one question to `<base URL>/chat/completions`, one answer.
//!
//! Perplexity and xAI, as a process like any other agent (`run-agent chat-agent`), so that the shim
//! keeps it alive, stops it and keeps what it prints: one event of [`crate::tree::event`] a line. Such an agent
//! has no tools and no files: its text is the answer, and a complete answer finishes the task.
//!
//! `endpoint` knows the two services, `sse` the framing, `answer` what the chunks mean, `refusal` what
//! a status other than 200 means; `ask` is the order in which it happens.

mod answer;
mod ask;
mod endpoint;
mod refusal;
mod sse;

pub use ask::{Body, Came, ChatError, Question, ask, hear};
pub use endpoint::Api;
pub use sse::Sse;
