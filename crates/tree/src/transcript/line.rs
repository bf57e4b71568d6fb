//! Converts one raw line into its events.

use serde_json::Value;

use super::{
    dialect::{self, Dialect, LineContent},
    lenient,
};
use crate::event::{EVENT_VERSION, Event, RawReason, What};

/// The longest line that is parsed, in bytes. A longer one is kept raw.
pub const LONGEST_LINE: u64 = 32 * 1024 * 1024;
/// The longest text in an event, in bytes. Of a longer text only the beginning is kept.
pub const LONGEST_TEXT: usize = 1024 * 1024;
/// The largest number of events from one line. Further content is only in the raw line.
pub const MOST_EVENTS: usize = 1024;
/// The longest name (of a conversation, model, call or tool) in an event, in bytes.
const LONGEST_NAME: usize = 1024;

/// Returns the events of the line of `length` bytes at `offset`. `bytes` is the line without its newline, or its
/// beginning if it is longer than [`LONGEST_LINE`]. An empty line produces no events.
#[must_use]
pub fn events_of_line(dialect: Dialect, offset: u64, length: u64, bytes: &[u8]) -> Vec<Event> {
    let has_newline = length > bytes.len() as u64;
    let content = if length > LONGEST_LINE {
        raw(RawReason::TooLong, bytes)
    } else if dialect == Dialect::Text || bytes.iter().all(u8::is_ascii_whitespace) {
        LineContent::default()
    } else {
        match lenient::parse(bytes) {
            Ok(line @ Value::Object(_)) => {
                understand(dialect, &line).unwrap_or_else(|| raw(RawReason::Unknown, bytes))
            }
            Ok(_) | Err(_) if has_newline => raw(RawReason::NotJson, bytes),
            Ok(_) | Err(_) => raw(RawReason::CutOff, bytes),
        }
    };
    let LineContent { time, within, mut what } = content;
    let too_many = what.len() > MOST_EVENTS;
    what.truncate(MOST_EVENTS);
    let within = within.filter(|name| name.len() <= LONGEST_NAME);
    let parts = u32::try_from(what.len()).unwrap_or(u32::MAX);
    let event = |(part, mut what): (u32, What)| {
        let clipped = clip(&mut what) || (too_many && part == parts);
        Event {
            version: EVENT_VERSION,
            offset,
            length,
            part,
            parts,
            time,
            within: within.clone(),
            clipped,
            what,
        }
    };
    (1..).zip(what).map(event).collect()
}

/// The content of a line; `None` if its type is unknown.
fn understand(dialect: Dialect, line: &Value) -> Option<LineContent> {
    match dialect {
        Dialect::Text => None,
        Dialect::Lines(language) => (language.parse)(line),
    }
}

fn raw(reason: RawReason, bytes: &[u8]) -> LineContent {
    LineContent::of([dialect::raw(reason, bytes)])
}

/// Cuts texts that are too long. Returns `true` if it cut any.
fn clip(what: &mut What) -> bool {
    match what {
        What::Message { text, .. } | What::Reasoning { text } | What::Raw { text, .. } => {
            cut(text, LONGEST_TEXT)
        }
        What::ToolResult { call_id, tool, output, .. } => {
            cut(output, LONGEST_TEXT) | drop_name(call_id) | drop_name(tool)
        }
        What::FileChange { path, diff, .. } => {
            cut(path, LONGEST_TEXT) | diff.as_mut().is_some_and(|d| cut(d, LONGEST_TEXT))
        }
        What::Error { message, .. } => cut(message, LONGEST_TEXT),
        What::TurnEnd { message, .. } => message.as_mut().is_some_and(|m| cut(m, LONGEST_TEXT)),
        What::ToolCall { call_id, tool, input } => {
            clip_value(input) | drop_name(call_id) | cut(tool, LONGEST_NAME)
        }
        What::Session { thread_id, model, agent_version } => {
            drop_name(thread_id) | drop_name(model) | drop_name(agent_version)
        }
        What::Usage { .. } => false,
    }
}

fn cut(text: &mut String, longest: usize) -> bool {
    let long = text.len() > longest;
    if long {
        text.truncate(text.floor_char_boundary(longest));
    }
    long
}

/// Removes a name that is too long, because a cut name would be another name.
fn drop_name(name: &mut Option<String>) -> bool {
    name.take_if(|n| n.len() > LONGEST_NAME).is_some()
}

fn clip_value(input: &mut Value) -> bool {
    let mut text = input.to_string();
    let long = cut(&mut text, LONGEST_TEXT);
    if long {
        *input = Value::String(text);
    }
    long
}

/// A language for the tests of this module.
#[cfg(test)]
pub(super) mod samples {
    use serde::Deserialize;

    use super::*;
    use crate::transcript::Language;

    /// Lines that are events already, or lists of them under `all`.
    pub(in crate::transcript) static EVENTS: Language = Language { name: "events", parse, refusal: None };

    fn parse(line: &Value) -> Option<LineContent> {
        let all = line.get("all").and_then(Value::as_array);
        let Some(all) = all else { return Some(LineContent::of([What::deserialize(line).ok()?])) };
        Some(LineContent::of(all.iter().map(|_| dialect::raw(RawReason::Unknown, b"?"))))
    }
}

#[cfg(test)]
mod tests {
    use super::{samples::EVENTS, *};

    const LINES: Dialect = Dialect::Lines(&EVENTS);

    fn events(line: &str) -> Vec<Event> {
        events_of_line(LINES, 100, line.len() as u64 + 1, line.as_bytes())
    }

    fn reason(events: &[Event]) -> Option<RawReason> {
        match events {
            [Event { what: What::Raw { reason, .. }, .. }] => Some(*reason),
            _ => None,
        }
    }

    #[test]
    fn deep_json_and_odd_bytes_are_no_trouble() {
        let deep = format!("{{\"type\":{}", "[".repeat(1_000_000));
        assert_eq!(reason(&events(&deep)), Some(RawReason::NotJson));
        let bytes = [b"{\"type\":\"".as_slice(), &[0xff, 0xfe, 0], b"\"}"].concat();
        let events = events_of_line(LINES, 0, bytes.len() as u64 + 1, &bytes);
        assert_eq!(reason(&events), Some(RawReason::NotJson));
        assert_eq!(events_of_line(Dialect::Text, 0, 2, b"x"), []);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_understood_and_its_text_is_clipped() {
        let text = "é".repeat(5 * 1024 * 1024);
        let line = format!("{{\"type\":\"reasoning\",\"text\":\"{text}\"}}");
        let events = events(&line);
        let [Event { what: What::Reasoning { text }, clipped: true, offset: 100, .. }] = &events[..] else {
            panic!("{} events", events.len());
        };
        assert_eq!(text.len(), LONGEST_TEXT);
    }

    #[test]
    fn a_line_gives_so_many_events_and_no_more() {
        let line = format!("{{\"all\":[{}]}}", vec!["0"; 3 * MOST_EVENTS].join(","));
        let events = events(&line);
        assert_eq!(events.len(), MOST_EVENTS);
        assert!(events[..MOST_EVENTS - 1].iter().all(|e| !e.clipped));
        assert!(events[MOST_EVENTS - 1].clipped);
    }

    #[test]
    fn a_name_that_is_too_long_is_no_name() {
        let name = "x".repeat(LONGEST_NAME + 1);
        let line = format!("{{\"type\":\"session\",\"thread_id\":\"{name}\"}}");
        let events = events(&line);
        let session = What::Session { thread_id: None, model: None, agent_version: None };
        assert_eq!(events.iter().map(|e| (&e.what, e.clipped)).collect::<Vec<_>>(), [(&session, true)]);
    }

    #[test]
    fn long_input_of_a_tool_becomes_its_beginning() {
        let input = "x".repeat(LONGEST_TEXT);
        let line = format!("{{\"type\":\"tool_call\",\"tool\":\"t\",\"input\":{{\"a\":\"{input}\"}}}}");
        let events = events(&line);
        let [Event { what: What::ToolCall { input: Value::String(text), .. }, clipped: true, .. }] =
            &events[..]
        else {
            panic!("{} events", events.len());
        };
        assert!(text.starts_with("{\"a\":\"xxx"));
    }
}
