//! Parses the output of `gemini -o stream-json`.
//!
//! The stream contains no thoughts and no cost. The result of a file tool does not name the file, so its changes are
//! visible only in the work folder.

use serde_json::Value;

use tree::{
    event::{EventKind, Role, ToolStatus, TurnOutcome, UsageScope},
    transcript::{
        ErrorReport, Language, LineContent,
        fields::{count, flat, owned, text, time},
    },
    usage::Usage,
};

/// The language of these streams.
pub(super) static LANGUAGE: Language =
    Language { name: "gemini", parse, refusal: Some(refusal), background: None };

/// The content of a line; `None` if its type is unknown.
fn parse(line: &Value) -> Option<LineContent> {
    let what = match text(line, "type")? {
        "init" => vec![EventKind::Session {
            thread_id: owned(line, "session_id"),
            model: owned(line, "model"),
            agent_version: None,
        }],
        "message" => vec![message(line)],
        "tool_use" => vec![EventKind::ToolCall {
            call_id: owned(line, "tool_id"),
            tool: owned(line, "tool_name").unwrap_or_default(),
            input: line.get("parameters").cloned().unwrap_or_default(),
        }],
        "tool_result" => vec![tool_result(line)],
        "error" => vec![error(line)],
        "result" => result(line),
        _ => return None,
    };
    Some(LineContent { time: time(line, "timestamp"), ..LineContent::of(what) })
}

fn message(line: &Value) -> EventKind {
    let role = match text(line, "role") {
        Some("user") => Role::User,
        Some("system") => Role::System,
        _ => Role::Assistant,
    };
    let partial = line.get("delta").and_then(Value::as_bool).unwrap_or(false);
    EventKind::Message { role, text: flat(line.get("content")), partial }
}

fn tool_result(line: &Value) -> EventKind {
    let error = line.get("error").filter(|e| !e.is_null());
    let kind = error.and_then(|e| text(e, "type")).unwrap_or_default();
    let denied = ["denied", "policy", "permission"].iter().any(|word| kind.contains(word));
    let status = match text(line, "status") {
        _ if denied => ToolStatus::Denied,
        Some("success") => ToolStatus::Ok,
        None if error.is_none() => ToolStatus::Ok,
        _ => ToolStatus::Error,
    };
    let output = line.get("output").or_else(|| error?.get("message"));
    EventKind::ToolResult {
        call_id: owned(line, "tool_id"),
        tool: owned(line, "tool_name"),
        status,
        output: flat(output),
        exit_code: None,
    }
}

/// Interprets a warning, or an error that the result may repeat.
fn error(line: &Value) -> EventKind {
    let trouble = trouble(line.get("error").unwrap_or(line));
    let warning = text(line, "severity") == Some("warning");
    if warning { trouble.that_passes().into_error() } else { trouble.into_error() }
}

fn trouble(error: &Value) -> ErrorReport {
    let message = error.as_str().or(text(error, "message")).unwrap_or_default();
    ErrorReport::new(message).with_words(text(error, "type").unwrap_or_default())
}

fn result(line: &Value) -> Vec<EventKind> {
    let mut what = Vec::new();
    if let Some(stats) = line.get("stats") {
        // `init` may name the model "auto".
        if let Some(model) = model(stats) {
            what.push(EventKind::Session { thread_id: None, model: Some(model), agent_version: None });
        }
        what.push(EventKind::Usage { scope: UsageScope::Run, usage: usage(stats) });
    }
    let error = line.get("error").filter(|e| !e.is_null());
    if text(line, "status") == Some("success") || (line.get("status").is_none() && error.is_none()) {
        what.push(EventKind::TurnEnd { outcome: TurnOutcome::Completed, message: None });
        return what;
    }
    let error = error.unwrap_or(&Value::Null);
    let message = error.as_str().or(text(error, "message")).map(str::to_owned);
    what.push(trouble(error).into_error());
    what.push(EventKind::TurnEnd { outcome: TurnOutcome::Failed, message });
    what
}

/// Returns the model that did most of the work.
fn model(stats: &Value) -> Option<String> {
    let models = stats.get("models")?.as_object()?;
    let used =
        models.iter().filter_map(|(name, of)| Some((count(of, "total_tokens").filter(|n| *n > 0)?, name)));
    used.max().map(|(_, name)| name.clone())
}

/// Counts tokens. `input_tokens` includes the cached ones; `output_tokens` lacks the thoughts, which the total
/// includes.
fn usage(stats: &Value) -> Usage {
    let (input, output) = (count(stats, "input_tokens"), count(stats, "output_tokens"));
    let rest = count(stats, "total_tokens").and_then(|total| total.checked_sub(input?));
    Usage {
        input_tokens: input,
        output_tokens: output.max(rest),
        cached_tokens: count(stats, "cached"),
        cost_usd: None,
    }
}

/// `Attempt 3 failed with status 429. Retrying with backoff... _ApiError: {…}`, or
/// `Attempt 3 failed: You exceeded your current quota…. Retrying after 38211ms...`.
fn refusal(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Attempt ")?.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with(" failed").then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use ErrorClass::{Overload, UsageLimit};

    use super::*;
    use tree::{
        event::ErrorClass,
        transcript::{Dialect, refusal_on_stderr},
    };

    #[test]
    fn a_refusal_is_read_from_standard_error() {
        let refusal =
            |tail: &str| refusal_on_stderr(Dialect::Lines(&LANGUAGE), tail).map(|f| (f.class, f.retry_after));
        let limit = "YOLO mode is enabled.\nAttempt 2 failed with status 429. Retrying with backoff... _ApiError: {\"error\":{\"code\":429,\"message\":\"scripted error 429\",\"status\":\"INTERNAL\"}}\n    at throwErrorIfNotOK (file:///chunk.js:267833:24) {\n  status: 429\n}\n";
        assert_eq!(refusal(limit), Some((UsageLimit, None)));
        let delayed = "Attempt 1 failed: You exceeded your current quota. Retrying after 38211ms...\n";
        assert_eq!(refusal(delayed), Some((UsageLimit, Some(38.211))));
        let overload = "Attempt 1 failed with status 503. Retrying with backoff... _ApiError: {}\n";
        assert_eq!(refusal(overload), Some((Overload, None)));
        let network = "Attempt 1 failed. Retrying with backoff... TypeError: fetch failed\n";
        assert_eq!(refusal(&format!("{limit}{network}")), None);
    }
}
