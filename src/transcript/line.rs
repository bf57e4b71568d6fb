//! From one raw line to its events.

use serde_json::Value;

use super::{claude, codex, dialect::Dialect, gemini, heard::Heard, native, opencode};
use crate::tree::event::{EVENT_VERSION, Event, RawReason, What};

/// The longest line that is understood, in bytes; a longer one is kept raw.
pub const LONGEST_LINE: u64 = 32 * 1024 * 1024;
/// The longest text in an event, in bytes; of a longer one the beginning is there.
pub const LONGEST_TEXT: usize = 1024 * 1024;
/// So much of a line that is not understood is repeated in its event.
const RAW_TEXT: usize = 1024;

/// The events of the line of `length` bytes at `offset`; `bytes` is the line without its newline, or its
/// beginning if it is longer than [`LONGEST_LINE`]. An empty line gives none.
#[must_use]
pub fn events_of_line(dialect: Dialect, offset: u64, length: u64, bytes: &[u8]) -> Vec<Event> {
    let has_newline = length > bytes.len() as u64;
    let heard = if length > LONGEST_LINE {
        raw(RawReason::TooLong, bytes)
    } else if dialect == Dialect::Text || bytes.iter().all(u8::is_ascii_whitespace) {
        Heard::default()
    } else {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(line @ Value::Object(_)) => {
                understand(dialect, &line).unwrap_or_else(|| raw(RawReason::Unknown, bytes))
            }
            Ok(_) | Err(_) if has_newline => raw(RawReason::NotJson, bytes),
            Ok(_) | Err(_) => raw(RawReason::CutOff, bytes),
        }
    };
    let parts = u32::try_from(heard.what.len()).unwrap_or(u32::MAX);
    let event = |(part, mut what): (u32, What)| {
        let clipped = clip(&mut what);
        Event { version: EVENT_VERSION, offset, length, part, parts, time: heard.time, clipped, what }
    };
    (1..).zip(heard.what).map(event).collect()
}

/// `None`: of a type that we do not know.
fn understand(dialect: Dialect, line: &Value) -> Option<Heard> {
    match dialect {
        Dialect::Text => None,
        Dialect::Claude => claude::hear(line),
        Dialect::Codex => codex::hear(line),
        Dialect::Gemini => gemini::hear(line),
        Dialect::Opencode => opencode::hear(line),
        Dialect::Native => native::hear(line),
    }
}

fn raw(reason: RawReason, bytes: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(RAW_TEXT)]).into_owned();
    Heard { time: None, what: vec![What::Raw { reason, text }] }
}

/// Cuts what is too long; `true` if anything was.
fn clip(what: &mut What) -> bool {
    let cut = |text: &mut String| {
        let long = text.len() > LONGEST_TEXT;
        if long {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        }
        long
    };
    match what {
        What::Message { text, .. } | What::Reasoning { text } | What::Raw { text, .. } => cut(text),
        What::ToolResult { output, .. } => cut(output),
        What::FileChange { diff, .. } => diff.as_mut().is_some_and(cut),
        What::Error { message, .. } => cut(message),
        What::TurnEnd { message, .. } => message.as_mut().is_some_and(cut),
        What::ToolCall { input, .. } => clip_value(input),
        What::Session { .. } | What::Usage { .. } => false,
    }
}

fn clip_value(input: &mut Value) -> bool {
    let long = input.to_string().len() > LONGEST_TEXT;
    if long {
        let mut text = input.to_string();
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        *input = Value::String(text);
    }
    long
}
