//! Parses the output of `claude -p --output-format stream-json`.
//!
//! - A `result` ends the turn, and its `is_error` decides the outcome: if a model cannot be reached, the line has
//!   `subtype: success` with `is_error: true`.
//! - `usage` covers the turn; `total_cost_usd` covers the session over all its runs.
//! - `stream_event` lines repeat parts of the `assistant` lines, and are skipped.
//! - A line with `parent_tool_use_id` belongs to a sub-agent.
//! - While sub-agents work in the background, a `result` may be followed by another `init` and turn.

use serde_json::Value;

use super::tools::{file_changes, tool_result};
use tree::{
    event::{EventKind, RawReason, Role, TurnOutcome, UsageScope},
    transcript::{
        Background, ErrorReport, Language, LineContent, Retry,
        fields::{amount, count, flat, list, owned, status, sum, text, time},
        raw,
    },
    usage::Usage,
};

/// The language of these streams.
pub(super) static LANGUAGE: Language =
    Language { name: "claude", parse, refusal: None, background: Some(background) };

/// The content of a line; `None` if its type is unknown.
fn parse(line: &Value) -> Option<LineContent> {
    let what = match text(line, "type")? {
        "system" => system(line)?,
        // The message has an unknown shape, so the line is kept raw.
        "assistant" | "user" if !has_content(line) => return None,
        "assistant" => assistant(line),
        "user" => user(line),
        "result" => result(line),
        // Requests to the program that controls claude, and answers to that program's requests.
        "stream_event"
        | "control_request"
        | "control_response"
        | "control_cancel_request"
        | "command_lifecycle" => Vec::new(),
        "rate_limit_event" => rate_limit(line.get("rate_limit_info").unwrap_or(&Value::Null)),
        _ => return None,
    };
    Some(LineContent { time: time(line, "timestamp"), within: owned(line, "parent_tool_use_id"), what })
}

fn has_content(line: &Value) -> bool {
    line.get("message").and_then(|m| m.get("content")).is_some_and(|c| c.is_array() || c.is_string())
}

fn system(line: &Value) -> Option<Vec<EventKind>> {
    let note = |text: String| EventKind::Message { role: Role::System, text, partial: false };
    Some(match text(line, "subtype")? {
        "init" => vec![EventKind::Session {
            thread_id: owned(line, "session_id"),
            model: owned(line, "model"),
            agent_version: owned(line, "claude_code_version"),
        }],
        "api_retry" => {
            let kind = text(line, "error").unwrap_or("the request failed");
            let seconds = amount(line, "retry_delay_ms").map(|ms| ms / 1000.0);
            let trouble = ErrorReport::new(kind).with_status(status(line, "error_status")).that_passes();
            vec![trouble.with_retry(seconds.map(Retry::after).unwrap_or_default()).into_error()]
        }
        // The tool's result follows, and reports the denial.
        "permission_denied" => {
            let tool = text(line, "tool_name").unwrap_or("a tool");
            vec![note(format!("{tool} was not allowed: {}", text(line, "message").unwrap_or_default()))]
        }
        "compact_boundary" => vec![note("the conversation was compacted".to_owned())],
        // A sub-agent in the background has ended, or was stopped because claude exits.
        "task_notification" => {
            let summary = text(line, "summary").or_else(|| text(line, "task_id")).unwrap_or("a sub-agent");
            vec![note(format!("a sub-agent {}: {summary}", text(line, "status").unwrap_or("ended")))]
        }
        "status"
        | "thinking_tokens"
        | "task_started"
        | "task_progress"
        | "task_updated"
        | "background_tasks_changed" => Vec::new(),
        _ => return None,
    })
}

/// Interprets the lines about background tasks: commands and sub-agents. A turn may end before they do.
fn background(line: &Value) -> Option<Background> {
    let task = || owned(line, "task_id");
    match text(line, "subtype").filter(|_| text(line, "type") == Some("system"))? {
        "task_started" => task().map(Background::Begins),
        "task_notification" => task().map(Background::Ends),
        "background_tasks_changed" => {
            let tasks = list(line, "tasks").iter().filter_map(|task| owned(task, "task_id"));
            Some(Background::Are(tasks.collect()))
        }
        _ => None,
    }
}

fn assistant(line: &Value) -> Vec<EventKind> {
    let message = line.get("message").unwrap_or(&Value::Null);
    // The error is in place of the answer, and the result repeats it.
    let kind = text(line, "error");
    if kind.is_some() || line.get("is_api_error_message").and_then(Value::as_bool) == Some(true) {
        let trouble =
            ErrorReport::new(&flat(message.get("content"))).with_status(status(line, "api_error_status"));
        return vec![trouble.with_words(kind.unwrap_or_default()).into_error()];
    }
    content(line, message, Role::Assistant)
}

fn user(line: &Value) -> Vec<EventKind> {
    let message = line.get("message").unwrap_or(&Value::Null);
    let mut what = content(line, message, Role::User);
    what.extend(file_changes(line));
    what
}

/// Interprets the blocks of a message; see "Messages" in Anthropic's API reference.
fn content(line: &Value, message: &Value, role: Role) -> Vec<EventKind> {
    if let Some(text) = text(message, "content") {
        return vec![EventKind::Message { role, text: text.to_owned(), partial: false }];
    }
    let mut what = Vec::new();
    for block in list(message, "content") {
        match (text(block, "type"), text(block, "text")) {
            (Some("text"), Some(text)) => {
                what.push(EventKind::Message { role, text: text.to_owned(), partial: false });
            }
            (Some("thinking"), _) => {
                let thought = owned(block, "thinking").filter(|t| !t.is_empty());
                what.extend(thought.map(|text| EventKind::Reasoning { text }));
            }
            (Some("redacted_thinking"), _) => {}
            (Some("tool_use" | "server_tool_use" | "mcp_tool_use"), _) => what.push(EventKind::ToolCall {
                call_id: owned(block, "id"),
                tool: owned(block, "name").unwrap_or_default(),
                input: block.get("input").cloned().unwrap_or_default(),
            }),
            (Some(kind), _) if kind.ends_with("tool_result") => what.push(tool_result(line, block)),
            (Some(kind @ ("image" | "document")), _) => {
                what.push(EventKind::Message { role, text: format!("[{kind}]"), partial: false });
            }
            _ => what.push(raw(RawReason::Unknown, block.to_string().as_bytes())),
        }
    }
    what
}

fn result(line: &Value) -> Vec<EventKind> {
    let mut what = Vec::new();
    if let Some(usage) = line.get("usage") {
        what.push(EventKind::Usage { scope: UsageScope::Step, usage: tokens(usage) });
    }
    if let Some(cost) = amount(line, "total_cost_usd") {
        let usage = Usage { cost_usd: Some(cost), ..Usage::default() };
        what.push(EventKind::Usage { scope: UsageScope::Thread, usage });
    }
    let said = owned(line, "result").or_else(|| {
        let errors: Vec<String> = list(line, "errors").iter().map(|e| flat(Some(e))).collect();
        (!errors.is_empty()).then(|| errors.join("\n"))
    });
    let outcome = outcome(line, said.as_deref().unwrap_or_default());
    let subtype = text(line, "subtype").unwrap_or_default();
    let message =
        if outcome == TurnOutcome::Completed { said } else { said.or_else(|| Some(subtype.to_owned())) };
    if outcome == TurnOutcome::Failed {
        let trouble = ErrorReport::new(message.as_deref().unwrap_or_default());
        what.push(trouble.with_status(status(line, "api_error_status")).into_error());
    }
    what.push(EventKind::TurnEnd { outcome, message });
    what
}

fn outcome(line: &Value, said: &str) -> TurnOutcome {
    let subtype = text(line, "subtype").unwrap_or_default();
    let is_error =
        line.get("is_error").and_then(Value::as_bool).unwrap_or(false) || subtype.starts_with("error");
    // Versions until 1.0 reported this as a success, with the end of the limit after the bar.
    let limit = said.strip_prefix("Claude AI usage limit reached|").is_some_and(|t| t.parse::<i64>().is_ok());
    let aborted = text(line, "terminal_reason").is_some_and(|reason| reason.starts_with("aborted"));
    match is_error || limit {
        true if aborted => TurnOutcome::Interrupted,
        true => TurnOutcome::Failed,
        false => TurnOutcome::Completed,
    }
}

/// Counts tokens. `input_tokens` does not include the tokens that are read from the cache, or written to it.
fn tokens(usage: &Value) -> Usage {
    let cached = count(usage, "cache_read_input_tokens");
    Usage {
        input_tokens: sum([
            count(usage, "input_tokens"),
            cached,
            count(usage, "cache_creation_input_tokens"),
        ]),
        output_tokens: count(usage, "output_tokens"),
        cached_tokens: cached,
        cost_usd: None,
    }
}

/// Interprets a line about the rate limit, which every turn has. Only `rejected` means that the request was refused.
/// `resetsAt` is in seconds.
fn rate_limit(info: &Value) -> Vec<EventKind> {
    if text(info, "status") != Some("rejected") {
        return Vec::new();
    }
    let kind = text(info, "rateLimitType").unwrap_or("account");
    let retry = info.get("resetsAt").and_then(Value::as_i64).map(Retry::at_epoch).unwrap_or_default();
    vec![ErrorReport::new(&format!("usage limit reached ({kind})")).with_retry(retry).into_error()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tasks_in_the_background_are_known_by_their_lines() {
        let name = || "b1".to_owned();
        for (line, change) in [
            (
                json!({"type": "system", "subtype": "task_started", "task_id": "b1"}),
                Some(Background::Begins(name())),
            ),
            (
                json!({"type": "system", "subtype": "task_notification", "task_id": "b1", "status": "stopped"}),
                Some(Background::Ends(name())),
            ),
            (
                json!({"type": "system", "subtype": "background_tasks_changed", "tasks": [{"task_id": "b1"}]}),
                Some(Background::Are(vec![name()])),
            ),
            (
                json!({"type": "system", "subtype": "background_tasks_changed", "tasks": []}),
                Some(Background::Are(Vec::new())),
            ),
            (json!({"type": "system", "subtype": "task_progress", "task_id": "b1"}), None),
            (json!({"type": "result", "subtype": "success"}), None),
        ] {
            assert_eq!(background(&line), change, "{line}");
        }
    }
}
