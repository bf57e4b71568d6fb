//! Interprets an agent's stream, for every agent: raw lines in, [events](crate::event) out.
//!
//! Everything here is a pure function of the bytes. A line always produces the same events for every reader, so a new
//! driver continues where `events.jsonl` ends. Only lines that are not interpreted share an event with their neighbours. The languages of the agents are in
//! `agents`, one in each agent's folder; `view` decides the meaning of an agent's end for the run.

mod account;
mod background;
mod dialect;
mod error_report;
mod failure;
pub mod fields;
mod follow;
mod lenient;
mod line;
mod raw_lines;
mod refusal;
mod retry;
mod words;

pub use account::{Account, LastWord, difference};
pub use background::background_tasks;
pub use dialect::{Background, Dialect, Language, LineContent, raw};
pub use error_report::ErrorReport;
pub use failure::Failure;
pub use follow::{Follower, Stream, all_events, damaged_events, last_event};
pub use line::{LONGEST_LINE, LONGEST_TEXT, MOST_EVENTS, events_of_line};
pub use raw_lines::RawLines;
pub use refusal::{Refusals, refusal_on_stderr};
pub use retry::Retry;
