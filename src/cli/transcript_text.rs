//! Shows the events of an agent's stream as text for a person at a terminal: what the agent says and does, one thing
//! after the other. The raw stream stays in `agent-stdout.txt`.

use serde_json::Value;

use tree::event::{Change, Event, EventKind, Role, ToolStatus, TurnOutcome};

/// Largest number of characters of a tool's input that are shown.
const INPUT: usize = 160;
/// Largest number of lines of a tool's output that are shown, and of characters of each of them.
const OUTPUT: (usize, usize) = (5, 160);

/// Turns events into text. Agents print a message in pieces while they write it, so a line may still be open.
#[derive(Debug, Default)]
pub(super) struct TranscriptText {
    line_is_open: bool,
}

impl TranscriptText {
    /// Returns the text of an event, with its newline; empty for events that only count.
    pub(super) fn of(&mut self, event: &Event) -> String {
        if let EventKind::Message { role: Role::Assistant, text, partial: true } = &event.kind {
            self.line_is_open = !text.is_empty() || self.line_is_open;
            return text.clone();
        }
        let text = match &event.kind {
            // The pieces of this message are on the terminal already.
            EventKind::Message { role: Role::Assistant, .. } if self.line_is_open => String::new(),
            what => whole(what),
        };
        let ends_line = std::mem::take(&mut self.line_is_open);
        match (ends_line, text.is_empty()) {
            (true, _) => format!("\n{text}"),
            (false, _) => text,
        }
    }
}

/// The text of an event that is not a piece of a message.
fn whole(what: &EventKind) -> String {
    match what {
        EventKind::Session { model, .. } => model
            .as_ref()
            .map_or_else(String::new, |model| format!("· the conversation begins, with {model}\n")),
        // The answer of a turn that has finished is its last message.
        EventKind::Message { role: Role::User, .. }
        | EventKind::Usage { .. }
        // The caller shows these lines, which the event only names.
        | EventKind::Raw { lines: Some(_), .. }
        | EventKind::TurnEnd { outcome: TurnOutcome::Completed, .. } => String::new(),
        EventKind::Message { role: Role::Assistant, text, .. } | EventKind::Raw { text, .. } => {
            format!("{}\n", text.trim_end())
        }
        EventKind::Message { role: Role::System, text, .. } | EventKind::Reasoning { text } => aside(text),
        EventKind::ToolCall { tool, input, .. } => format!("→ {tool} {}\n", summary(input)),
        EventKind::ToolResult { status, output, exit_code, .. } => result(*status, output, *exit_code),
        EventKind::FileChange { path, change, .. } => {
            let verb = match change {
                Change::Add => "adds",
                Change::Update => "changes",
                Change::Delete => "deletes",
            };
            format!("→ {verb} {path}\n")
        }
        EventKind::Error { message, retried, .. } => {
            let then = if *retried { " (the agent tries again)" } else { "" };
            format!("! {}{then}\n", message.trim_end())
        }
        EventKind::TurnEnd { message, .. } => {
            format!("! {}\n", message.as_deref().unwrap_or("the turn has failed").trim_end())
        }
    }
}

/// Marks each line as said beside the conversation.
fn aside(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        out.extend(["· ", line, "\n"]);
    }
    out
}

/// The part of a tool's input that says most: its command, file or query; otherwise all of it.
fn summary(input: &Value) -> String {
    let telling = [
        "command",
        "cmd",
        "file_path",
        "filePath",
        "path",
        "pattern",
        "query",
        "url",
        "description",
        "prompt",
    ];
    let text = match telling.iter().find_map(|key| input.get(key)) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None if input.as_object().is_some_and(serde_json::Map::is_empty) || input.is_null() => String::new(),
        None => input.to_string(),
    };
    clipped(&text.split_whitespace().collect::<Vec<_>>().join(" "), INPUT)
}

fn result(status: ToolStatus, output: &str, exit_code: Option<i64>) -> String {
    let mut text = match (status, exit_code) {
        (ToolStatus::Ok, None | Some(0)) => String::new(),
        (ToolStatus::Denied, _) => "  denied\n".to_owned(),
        (_, Some(code)) => format!("  exit code {code}\n"),
        (ToolStatus::Error, None) => "  failed\n".to_owned(),
    };
    let lines: Vec<&str> = output.trim_end().lines().collect();
    for line in lines.iter().take(OUTPUT.0) {
        text.extend(["  ", &clipped(line, OUTPUT.1), "\n"]);
    }
    if lines.len() > OUTPUT.0 {
        text.extend(["  … ", &(lines.len() - OUTPUT.0).to_string(), " more lines\n"]);
    }
    text
}

fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(events: &[Value]) -> String {
        let mut shown = TranscriptText::default();
        let event = |value: &Value| {
            let mut whole = json!({"version": 1, "offset": 0, "length": 1});
            whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            serde_json::from_value::<Event>(whole).unwrap()
        };
        events.iter().map(|value| shown.of(&event(value))).collect()
    }

    #[test]
    fn a_conversation_reads_as_one() {
        let shown = text(&[
            json!({"type": "session", "thread_id": "t", "model": "m-1"}),
            json!({"type": "message", "role": "user", "text": "the prompt"}),
            json!({"type": "message", "role": "assistant", "text": "I run the tests.\n"}),
            json!({"type": "tool_call", "tool": "Bash", "input": {"command": "cargo  test\n--all", "timeout": 5}}),
            json!({"type": "tool_result", "status": "error", "output": "1\n2\n3\n4\n5\n6\n7\n", "exit_code": 101}),
            json!({"type": "file_change", "path": "src/a.rs", "change": "update"}),
            json!({"type": "turn_end", "outcome": "completed", "message": "Done."}),
        ]);
        let expected = "· the conversation begins, with m-1\nI run the tests.\n→ Bash cargo test --all\n  exit code 101\n  1\n  2\n  3\n  4\n  5\n  … 2 more lines\n→ changes src/a.rs\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_message_in_pieces_is_shown_once() {
        let piece =
            |text: &str| json!({"type": "message", "role": "assistant", "text": text, "partial": true});
        let whole = json!({"type": "message", "role": "assistant", "text": "Hello there"});
        let error = json!({"type": "error", "class": "overload", "message": "busy", "retried": true});
        assert_eq!(
            text(&[piece("Hello "), piece("there"), whole.clone(), error.clone()]),
            "Hello there\n! busy (the agent tries again)\n"
        );
        assert_eq!(text(&[whole, error]), "Hello there\n! busy (the agent tries again)\n");
    }
}
