//! How a driver holds a conversation with an agent: decided here without any input or output.
//!
//! - [`dialogue`] is the function from a state and an [`Input`] to a new state and [`Effect`]s. Its rules are the same
//!   for all agents.
//! - [`language`] is the part that differs: the lines that are sent, and the meaning of the agent's lines. Each protocol
//!   has its own module.
//! - `message_id` derives the ids of requests from the commands that cause them.
//! - [`message_waits`] tells the loop if another run is wanted.
//!
//! The driver (`engine::runner`) reads the files of the session and of its run, and carries the effects out.

pub mod dialogue;
mod effect;
pub mod language;
mod message_id;
mod news;
mod owed;
mod state;
mod stream_json;
mod waiting;

#[cfg(test)]
mod transcripts;

pub use dialogue::{Dialogue, Settings};
pub use effect::{Ask, Effect, Input};
pub use language::Language;
pub use waiting::message_waits;
