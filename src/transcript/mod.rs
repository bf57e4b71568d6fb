//! What an agent's stream says, whichever agent it is: raw lines in, [events](crate::tree::event) out.
//!
//! Everything here is a pure function of the bytes: a line gives the same events whoever
//! reads it and whenever, so a driver that takes over goes on where `events.jsonl` ends. How an
//! agent is called is the business of `agents`; what its end means for the run that of `view`.

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
