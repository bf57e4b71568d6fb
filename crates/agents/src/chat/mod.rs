//! Agents that call an API instead of running a program: one question to `<base URL>/chat/completions`, one answer.
//!
//! Such an agent is a process like any other (`run-agent chat-agent`), so that the shim supervises it, stops it and
//! keeps its output: one event of [`tree::event`] per line. It has no tools and no files: its text is the
//! answer, and a complete answer finishes the task.
//!
//! The services themselves are declared in the folders of their agents. `agent` is the agent that each of them is, with its call and its language, `endpoint` has the facts about one, `sse` the
//! framing, `answer` the meaning of the chunks, and `refusal` that of a status other than 200. `ask` performs
//! these steps in order.

mod agent;
mod answer;
mod ask;
mod endpoint;
mod refusal;
mod sse;

pub(super) use agent::ChatAgent;
pub use ask::{Body, ChatError, ChatOutcome, Question, ask, hear};
pub use endpoint::{Api, UsageReport};
pub use sse::Sse;
