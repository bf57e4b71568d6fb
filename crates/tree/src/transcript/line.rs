//! Converts one raw line into its events.

use serde_json::Value;

use super::{
    dialect::{self, Dialect, LineContent},
    lenient,
};
use crate::event::{EVENT_VERSION, Event, EventKind, RawReason};

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
    let contents = if length > LONGEST_LINE {
        vec![raw(RawReason::TooLong, bytes)]
    } else if dialect == Dialect::Text || bytes.iter().all(u8::is_ascii_whitespace) {
        Vec::new()
    } else if first_object(bytes).is_none() {
        vec![raw(RawReason::NotJson, bytes)]
    } else {
        match lenient::parse(bytes) {
            Ok(line @ Value::Object(_)) => {
                vec![understand(dialect, &line).unwrap_or_else(|| raw(RawReason::Unknown, bytes))]
            }
            Ok(_) if has_newline => vec![raw(RawReason::NotJson, bytes)],
            Ok(_) => vec![raw(RawReason::CutOff, bytes)],
            Err(_) => among_noise(dialect, bytes, has_newline),
        }
    };
    let parts: usize = contents.iter().map(|content| content.what.len()).sum();
    let too_many = parts > MOST_EVENTS;
    let parts = u32::try_from(parts.min(MOST_EVENTS)).unwrap_or(u32::MAX);
    let mut events = Vec::new();
    for LineContent { time, within, what } in contents {
        let within = within.filter(|name| name.len() <= LONGEST_NAME);
        for mut kind in what.into_iter().take(MOST_EVENTS - events.len()) {
            let part = u32::try_from(events.len() + 1).unwrap_or(u32::MAX);
            let clipped = clip(&mut kind) || (too_many && part == parts);
            let (version, within) = (EVENT_VERSION, within.clone());
            events.push(Event { version, offset, length, part, parts, time, within, clipped, kind });
        }
    }
    events
}

/// Returns the position of the first brace in some lines that may begin an object: it begins a line, or a key follows it.
/// Only such a line is worth an attempt to parse it. `bytes` may end in the middle of a line.
pub(super) fn first_object(bytes: &[u8]) -> Option<usize> {
    let is_space = |byte: &&u8| byte.is_ascii_whitespace() && **byte != b'\n';
    memchr::memchr_iter(b'{', bytes).find(|at| {
        let before = bytes[..*at].iter().rev().find(|byte| !is_space(byte));
        let after = bytes[at + 1..].iter().find(|byte| !is_space(byte));
        matches!(before, None | Some(b'\n')) || matches!(after, None | Some(b'"'))
    })
}

/// Returns the objects of a line that other output has got into: a progress bar, a byte order mark, or another line that
/// has lost its newline. Only objects that the language knows count, so that text about JSON is no event.
fn among_noise(dialect: Dialect, bytes: &[u8], has_newline: bool) -> Vec<LineContent> {
    let (objects, is_whole) = lenient::objects(bytes);
    let mut contents: Vec<LineContent> =
        objects.iter().filter_map(|object| understand(dialect, object)).collect();
    if !is_whole && !has_newline {
        contents.push(raw(RawReason::CutOff, bytes));
    } else if contents.is_empty() {
        contents.push(raw(RawReason::NotJson, bytes));
    }
    contents
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
fn clip(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::Message { text, .. } | EventKind::Reasoning { text } | EventKind::Raw { text, .. } => {
            cut(text, LONGEST_TEXT)
        }
        EventKind::ToolResult { call_id, tool, output, .. } => {
            cut(output, LONGEST_TEXT) | drop_name(call_id) | drop_name(tool)
        }
        EventKind::FileChange { path, diff, .. } => {
            cut(path, LONGEST_TEXT) | diff.as_mut().is_some_and(|d| cut(d, LONGEST_TEXT))
        }
        EventKind::Error { message, .. } => cut(message, LONGEST_TEXT),
        EventKind::TurnEnd { message, .. } => message.as_mut().is_some_and(|m| cut(m, LONGEST_TEXT)),
        EventKind::ToolCall { call_id, tool, input } => {
            clip_value(input) | drop_name(call_id) | cut(tool, LONGEST_NAME)
        }
        EventKind::Session { thread_id, model, agent_version } => {
            drop_name(thread_id) | drop_name(model) | drop_name(agent_version)
        }
        EventKind::Usage { .. } => false,
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
    pub(in crate::transcript) static EVENTS: Language =
        Language { name: "events", parse, refusal: None, background: None };

    fn parse(line: &Value) -> Option<LineContent> {
        let all = line.get("all").and_then(Value::as_array);
        let Some(all) = all else { return Some(LineContent::of([EventKind::deserialize(line).ok()?])) };
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
            [Event { kind: EventKind::Raw { reason, .. }, .. }] => Some(*reason),
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
    fn objects_are_found_among_noise() {
        const OBJECT: &str = r#"{"type":"reasoning","text":"{a} \"b\""}"#;
        const OTHER: &str = r#"{"type":"session","thread_id":"t"}"#;
        let kinds = |line: &str| {
            let events = events(line);
            let parts = u32::try_from(events.len()).unwrap();
            assert!(events.iter().zip(1..).all(|(e, part)| (e.part, e.parts) == (part, parts)), "{line}");
            let kind = |event: Event| match event.kind {
                EventKind::Reasoning { text } => text,
                EventKind::Session { thread_id, .. } => thread_id.unwrap_or_default(),
                EventKind::Raw { reason, .. } => format!("{reason:?}"),
                other => panic!("{other:?}"),
            };
            events.into_iter().map(kind).collect::<Vec<_>>()
        };
        let text = r#"{a} "b""#;
        for (line, expected) in [
            (format!("\u{feff}{OBJECT}"), vec![text]),
            (format!("\r[=>  ] 40 %\r{OBJECT}"), vec![text]),
            (format!("{OBJECT}{OTHER}"), vec![text, "t"]),
            (format!("{OBJECT} done {{ {OTHER} \u{1b}[0m"), vec![text, "t"]),
            (format!("{{\"type\":\"x\"}}{OTHER}"), vec!["t"]),
            ("a {\"type\":\"x\"} b".to_owned(), vec!["NotJson"]),
            ("{".repeat(100_000), vec!["NotJson"]),
            (format!("[{OBJECT}]"), vec!["NotJson"]),
        ] {
            assert_eq!(kinds(&line), expected, "{}", &line[..line.len().min(100)]);
        }
        // Without a newline, the last object may be the beginning of a longer line.
        let cut = format!("{OBJECT}{}", &OTHER[..20]);
        let events = events_of_line(LINES, 0, cut.len() as u64, cut.as_bytes());
        let [
            Event { kind: EventKind::Reasoning { .. }, .. },
            Event { kind: EventKind::Raw { reason, .. }, .. },
        ] = &events[..]
        else {
            panic!("{events:?}");
        };
        assert_eq!(*reason, RawReason::CutOff);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_understood_and_its_text_is_clipped() {
        let text = "é".repeat(5 * 1024 * 1024);
        let line = format!("{{\"type\":\"reasoning\",\"text\":\"{text}\"}}");
        let events = events(&line);
        let [Event { kind: EventKind::Reasoning { text }, clipped: true, offset: 100, .. }] = &events[..]
        else {
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
        let session = EventKind::Session { thread_id: None, model: None, agent_version: None };
        assert_eq!(events.iter().map(|e| (&e.kind, e.clipped)).collect::<Vec<_>>(), [(&session, true)]);
    }

    #[test]
    fn long_input_of_a_tool_becomes_its_beginning() {
        let input = "x".repeat(LONGEST_TEXT);
        let line = format!("{{\"type\":\"tool_call\",\"tool\":\"t\",\"input\":{{\"a\":\"{input}\"}}}}");
        let events = events(&line);
        let [Event { kind: EventKind::ToolCall { input: Value::String(text), .. }, clipped: true, .. }] =
            &events[..]
        else {
            panic!("{} events", events.len());
        };
        assert!(text.starts_with("{\"a\":\"xxx"));
    }
}
