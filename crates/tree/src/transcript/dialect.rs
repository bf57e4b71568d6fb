//! The language of a stream: the way to understand one line of an agent's standard output.
//!
//! Each agent's folder (`agents`) has its own language; this module only defines what a language is.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::event::{EventKind, RawReason};

/// The length, in bytes, to which an event repeats something that is not understood.
const RAW_TEXT: usize = 1024;

/// The content of one line, before it is known where the line stands.
#[derive(Debug, Default)]
pub struct LineContent {
    /// When it happened, if the line says so.
    pub time: Option<DateTime<Utc>>,
    /// The conversation it belongs to, where that may be a sub-task's.
    pub within: Option<String>,
    /// What happened, in order.
    pub what: Vec<EventKind>,
}

impl LineContent {
    /// A line with this content and without a time.
    pub fn of(what: impl IntoIterator<Item = EventKind>) -> Self {
        Self { time: None, within: None, what: what.into_iter().collect() }
    }

    /// A line of a known type that adds nothing to the others.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }
}

/// The beginning of something that is not understood.
#[must_use]
pub fn raw(reason: RawReason, bytes: &[u8]) -> EventKind {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(RAW_TEXT)]).into_owned();
    EventKind::Raw { reason, text, lines: None }
}

/// The language of one kind of stream.
#[derive(Debug)]
pub struct Language {
    /// Its name; two languages of one name are the same.
    pub name: &'static str,
    /// Understands a line; `None` if the line is of an unknown type.
    pub parse: fn(&Value) -> Option<LineContent>,
    /// Understands a line of standard error as a refusal that the agent waits out, for agents that report it only there.
    pub refusal: Option<fn(&str) -> Option<String>>,
    /// Understands a line about work in the background, for agents that end a turn while such work goes on inside of
    /// their own process.
    pub background: Option<fn(&Value) -> Option<Background>>,
}

/// A change of the work that an agent does in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Background {
    /// This task has begun.
    Begins(String),
    /// This task has ended.
    Ends(String),
    /// These tasks go on, and no others.
    Are(Vec<String>),
}

/// The language of an agent's standard output.
#[derive(Debug, Clone, Copy)]
pub enum Dialect {
    /// Text for people. It produces no events, and only the exit status shows the outcome.
    Text,
    /// One JSON object a line.
    Lines(&'static Language),
}

impl Dialect {
    /// Returns true if the stream reports the end of a turn. Without that report the run has not succeeded.
    #[must_use]
    pub fn has_last_word(self) -> bool {
        self != Self::Text
    }

    /// Returns true if the agent reports refusals on standard error only.
    #[must_use]
    pub fn refuses_on_stderr(self) -> bool {
        matches!(self, Self::Lines(Language { refusal: Some(_), .. }))
    }
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text, Self::Text) => true,
            (Self::Lines(one), Self::Lines(other)) => one.name == other.name,
            _ => false,
        }
    }
}

impl Eq for Dialect {}
