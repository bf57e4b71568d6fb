//! Interprets an agent's stream, for every agent: raw lines in, [events](crate::tree::event) out.
//!
//! Everything here is a pure function of the bytes. A line always produces the same events for every reader, so a new
//! driver continues where `events.jsonl` ends. The `agents` module decides how an agent is called; `view` decides the
//! meaning of its end for the run.

mod account;
mod claude;
mod claude_tools;
mod codex;
mod dialect;
mod failure;
mod follow;
mod gemini;
mod heard;
mod lenient;
mod line;
mod native;
mod opencode;
mod refusal;
mod retry;
mod trouble;
mod wall_clock;
mod words;

pub use account::{Account, LastWord, difference};
pub use dialect::Dialect;
pub use failure::Failure;
pub use follow::{Follower, Stream, all_events, last_event};
pub use line::{LONGEST_LINE, LONGEST_TEXT, MOST_EVENTS, events_of_line};
pub use refusal::{Refusals, refusal_on_stderr, refuses_on_stderr};
