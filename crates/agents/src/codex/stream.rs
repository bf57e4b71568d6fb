//! Parses the output of `codex exec --json`.
//!
//! `turn.completed` reports the usage of the whole thread: all its runs, and the thread it was forked from. A command
//! that the sandbox denies at once is not reported at all, so the stream is not an audit log.

use serde_json::{Value, json};

use tree::{
    event::{Change, EventKind, Role, ToolStatus, TurnOutcome, UsageScope},
    transcript::{
        ErrorReport, Language, LineContent,
        fields::{count, flat, list, owned, text},
    },
    usage::Usage,
};

/// The language of these streams.
pub(super) static LANGUAGE: Language = Language { name: "codex", parse, refusal: None, background: None };

/// The content of a line; `None` if its type is unknown.
fn parse(line: &Value) -> Option<LineContent> {
    let what = match text(line, "type")? {
        "thread.started" => {
            vec![EventKind::Session {
                thread_id: owned(line, "thread_id"),
                model: owned(line, "model"),
                agent_version: None,
            }]
        }
        "turn.started" => return Some(LineContent::nothing()),
        "item.started" => item(line.get("item")?, Stage::Started)?,
        "item.updated" => item(line.get("item")?, Stage::Updated)?,
        "item.completed" => item(line.get("item")?, Stage::Completed)?,
        "error" => vec![error(text(line, "message").unwrap_or_default())],
        "turn.completed" => vec![
            EventKind::Usage {
                scope: UsageScope::Thread,
                usage: usage(line.get("usage").unwrap_or(&Value::Null)),
            },
            EventKind::TurnEnd { outcome: TurnOutcome::Completed, message: None },
        ],
        "turn.failed" => {
            let message = line.get("error").and_then(|e| e.as_str().or(text(e, "message")));
            vec![
                ErrorReport::new(message.unwrap_or_default()).into_error(),
                EventKind::TurnEnd { outcome: TurnOutcome::Failed, message: message.map(str::to_owned) },
            ]
        }
        _ => return None,
    };
    Some(LineContent::of(what))
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Started,
    Updated,
    Completed,
}

/// Interprets an item; `None` if its type is unknown.
fn item(item: &Value, stage: Stage) -> Option<Vec<EventKind>> {
    let said = |key| owned(item, key).unwrap_or_default();
    let done = stage == Stage::Completed;
    Some(match text(item, "type")? {
        "agent_message" if done => {
            vec![EventKind::Message { role: Role::Assistant, text: said("text"), partial: false }]
        }
        "reasoning" if done => vec![EventKind::Reasoning { text: said("text") }],
        // These items are repeated when they are complete.
        "agent_message" | "reasoning" => Vec::new(),
        "command_execution" => {
            let output = said("aggregated_output");
            tool(item, stage, "command_execution", json!({ "command": item.get("command") }), output)
        }
        "mcp_tool_call" => {
            let name = format!("{}.{}", said("server"), said("tool"));
            let input = item.get("arguments").cloned().unwrap_or_default();
            let gave = item.get("result").filter(|r| !r.is_null());
            let gave =
                gave.map(|r| r.get("content").unwrap_or(r)).or_else(|| item.get("error")?.get("message"));
            tool(item, stage, &name, input, flat(gave))
        }
        "web_search" => tool(item, stage, "web_search", json!({ "query": item.get("query") }), said("query")),
        "file_change" => file_change(item, stage),
        "todo_list" => vec![EventKind::Message { role: Role::System, text: todo_list(item), partial: false }],
        // An item of type `error` is only a warning: the turn continues.
        "error" => vec![ErrorReport::new(&said("message")).that_passes().into_error()],
        _ => return None,
    })
}

fn tool(item: &Value, stage: Stage, name: &str, input: Value, output: String) -> Vec<EventKind> {
    let (call_id, tool) = (owned(item, "id"), name.to_owned());
    match stage {
        Stage::Started => vec![EventKind::ToolCall { call_id, tool, input }],
        Stage::Updated => Vec::new(),
        Stage::Completed => {
            let exit_code = item.get("exit_code").and_then(Value::as_i64);
            vec![EventKind::ToolResult {
                call_id,
                tool: Some(tool),
                status: tool_status(item),
                output,
                exit_code,
            }]
        }
    }
}

fn tool_status(item: &Value) -> ToolStatus {
    match text(item, "status") {
        Some("failed") => ToolStatus::Error,
        Some("declined") => ToolStatus::Denied,
        _ if item.get("error").is_some_and(|e| !e.is_null()) => ToolStatus::Error,
        _ => ToolStatus::Ok,
    }
}

fn file_change(item: &Value, stage: Stage) -> Vec<EventKind> {
    let changes = item.get("changes").cloned().unwrap_or_default();
    let mut what = tool(item, stage, "file_change", json!({ "changes": changes }), String::new());
    if stage == Stage::Completed && tool_status(item) == ToolStatus::Ok {
        what.extend(list(item, "changes").iter().filter_map(changed_file));
    }
    what
}

fn changed_file(change: &Value) -> Option<EventKind> {
    // The app-server prints `{"type": "add"}` where exec prints `"add"`.
    let kind = change.get("kind").and_then(|k| k.as_str().or(text(k, "type")));
    let done = match kind {
        Some("add") => Change::Add,
        Some("delete") => Change::Delete,
        _ => Change::Update,
    };
    let diff = owned(change, "diff").filter(|d| !d.is_empty());
    Some(EventKind::FileChange { path: owned(change, "path")?, change: done, diff })
}

fn todo_list(item: &Value) -> String {
    let line = |todo: &Value| {
        let done = todo.get("completed").and_then(Value::as_bool).unwrap_or(false);
        format!("- [{}] {}", if done { "x" } else { " " }, text(todo, "text").unwrap_or_default())
    };
    list(item, "items").iter().map(line).collect::<Vec<_>>().join("\n")
}

fn error(message: &str) -> EventKind {
    let trouble = ErrorReport::new(message);
    // "Reconnecting... 1/5", "stream error: …; retrying 1/5 in 200ms…", "Falling back from WebSockets to HTTPS".
    let words = message.trim_start().to_ascii_lowercase();
    let goes_on = words.starts_with("reconnecting")
        || words.starts_with("falling back")
        || words.contains("; retrying ");
    if goes_on { trouble.that_passes().into_error() } else { trouble.into_error() }
}

fn usage(said: &Value) -> Usage {
    Usage {
        input_tokens: count(said, "input_tokens"),
        output_tokens: count(said, "output_tokens"),
        cached_tokens: count(said, "cached_input_tokens"),
        cost_usd: None,
    }
}
