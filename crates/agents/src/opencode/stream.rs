//! Parses the output of `opencode run --format json`.
//!
//! The stream has no final line. A turn ends with an error, or with a step that ends for another reason than tool
//! calls. Each line names its conversation, so the lines of a sub-task can be distinguished.

use serde_json::Value;

use tree::{
    event::{Change, EventKind, Role, ToolStatus, TurnOutcome, UsageScope},
    transcript::{
        ErrorReport, Language, LineContent, Retry,
        fields::{amount, count, flat, owned, status, sum, text, time},
    },
    usage::Usage,
};

/// The language of these streams.
pub(super) static LANGUAGE: Language =
    Language { name: "opencode", parse, refusal: Some(refusal), background: None };

/// The content of a line; `None` if its type is unknown.
fn parse(line: &Value) -> Option<LineContent> {
    let part = line.get("part").unwrap_or(&Value::Null);
    let said = || owned(part, "text").unwrap_or_default();
    let what = match text(line, "type")? {
        "step_start" => vec![session(line)],
        "text" => vec![EventKind::Message { role: Role::Assistant, text: said(), partial: false }],
        "reasoning" => vec![EventKind::Reasoning { text: said() }],
        "tool_use" => tool_use(part),
        "step_finish" => step_finish(part),
        "error" => error(line),
        _ => return None,
    };
    Some(LineContent { time: time(line, "timestamp"), within: owned(line, "sessionID"), what })
}

fn session(line: &Value) -> EventKind {
    EventKind::Session { thread_id: owned(line, "sessionID"), model: None, agent_version: None }
}

/// Interprets a tool's line. A tool has only one line, when it has ended.
fn tool_use(part: &Value) -> Vec<EventKind> {
    let nothing = Value::Null;
    let state = part.get("state").unwrap_or(&nothing);
    let (call_id, tool) = (owned(part, "callID"), owned(part, "tool").unwrap_or_default());
    let input = state.get("input").cloned().unwrap_or_default();
    let mut what = vec![EventKind::ToolCall { call_id: call_id.clone(), tool: tool.clone(), input }];
    let status = match text(state, "status") {
        Some("completed") => ToolStatus::Ok,
        Some("error") if is_denial(text(state, "error").unwrap_or_default()) => ToolStatus::Denied,
        Some("error") => ToolStatus::Error,
        // Pending or running: the end will follow.
        _ => return what,
    };
    let output = flat(state.get("output").or_else(|| state.get("error")));
    let metadata = state.get("metadata").unwrap_or(&nothing);
    let exit_code = metadata.get("exit").and_then(Value::as_i64);
    let changed = (status == ToolStatus::Ok).then(|| file_change(&tool, state, metadata)).flatten();
    what.push(EventKind::ToolResult { call_id, tool: Some(tool), status, output, exit_code });
    what.extend(changed);
    what
}

fn is_denial(error: &str) -> bool {
    error.contains("rejected permission") || error.contains("rule which prevents")
}

fn file_change(tool: &str, state: &Value, metadata: &Value) -> Option<EventKind> {
    let input = state.get("input")?;
    let path = text(metadata, "filepath").or(text(input, "filePath"))?.to_owned();
    let was_there = metadata.get("exists").and_then(Value::as_bool);
    let change = match tool {
        "write" if was_there == Some(false) => Change::Add,
        "write" | "edit" => Change::Update,
        _ => return None,
    };
    Some(EventKind::FileChange { path, change, diff: owned(metadata, "diff").filter(|d| !d.is_empty()) })
}

fn step_finish(part: &Value) -> Vec<EventKind> {
    let tokens = part.get("tokens").unwrap_or(&Value::Null);
    let cache = tokens.get("cache").unwrap_or(&Value::Null);
    let cached = count(cache, "read");
    let usage = Usage {
        input_tokens: sum([count(tokens, "input"), cached, count(cache, "write")]),
        output_tokens: sum([count(tokens, "output"), count(tokens, "reasoning")]),
        cached_tokens: cached,
        cost_usd: amount(part, "cost"),
    };
    let mut what = vec![EventKind::Usage { scope: UsageScope::Step, usage }];
    let failed = |reason: &str| EventKind::TurnEnd {
        outcome: TurnOutcome::Failed,
        message: Some(format!("the answer ended early: {reason}")),
    };
    // The reasons come from the AI SDK's `FinishReason`.
    match text(part, "reason") {
        Some("tool-calls") | None => {}
        Some(reason @ ("length" | "content-filter" | "error")) => what.push(failed(reason)),
        Some(_) => what.push(EventKind::TurnEnd { outcome: TurnOutcome::Completed, message: None }),
    }
    what
}

fn error(line: &Value) -> Vec<EventKind> {
    let nothing = Value::Null;
    let error = line.get("error").unwrap_or(&nothing);
    let data = error.get("data").unwrap_or(&nothing);
    let name = text(error, "name").unwrap_or_default();
    let message = text(data, "message").or(text(error, "message")).or(error.as_str()).unwrap_or(name);
    if name == "MessageAbortedError" {
        let end = EventKind::TurnEnd { outcome: TurnOutcome::Interrupted, message: Some(message.to_owned()) };
        return vec![session(line), end];
    }
    let headers = data.get("responseHeaders").unwrap_or(&nothing);
    let body = text(data, "responseBody").unwrap_or_default();
    let trouble = ErrorReport::new(message)
        .with_status(status(data, "statusCode"))
        .with_words(&format!("{name} {body}"))
        .with_retry(retry(headers));
    let end = EventKind::TurnEnd { outcome: TurnOutcome::Failed, message: Some(message.to_owned()) };
    vec![session(line), trouble.into_error(), end]
}

fn retry(headers: &Value) -> Retry {
    let milliseconds = text(headers, "retry-after-ms").and_then(|ms| ms.parse::<f64>().ok());
    let precise = milliseconds.map(|ms| Retry::after(ms / 1000.0)).filter(Retry::is_known);
    precise.or_else(|| text(headers, "retry-after").map(Retry::of_header)).unwrap_or_default()
}

/// `timestamp=… level=ERROR … message="stream error" … error.error="AI_APICallError: Rate limit reached…"`.
fn refusal(line: &str) -> Option<String> {
    if !line.contains("level=ERROR") || !line.contains("message=\"stream error\"") {
        return None;
    }
    let (_, quoted) = line.split_once("error.error=")?;
    let first = serde_json::Deserializer::from_str(quoted).into_iter::<Value>().next();
    first.and_then(Result::ok).and_then(|v| v.as_str().map(str::to_owned)).or_else(|| Some(quoted.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tree::{
        event::ErrorClass,
        transcript::{Dialect, refusal_on_stderr},
    };

    #[test]
    fn a_refusal_is_read_from_the_log_on_standard_error() {
        let refusal =
            |tail: &str| refusal_on_stderr(Dialect::Lines(&LANGUAGE), tail).map(|f| (f.class, f.retry_after));
        let limit = "timestamp=2026-11-30T10:29:01.804Z level=ERROR run=3510b06a message=\"stream error\" providerID=conductor modelID=fake-model small=false error.error=\"AI_APICallError: Rate limit reached for \\\"x\\\". Please try again in 7s.\"\n";
        assert_eq!(refusal(limit), Some((ErrorClass::UsageLimit, Some(7.0))));
        assert_eq!(refusal("level=ERROR message=\"another\"\n"), None);
    }
}
