//! The protocol `claude-stream`: `claude -p --input-format stream-json --output-format stream-json`, with control
//! requests in both directions.
//!
//! - A message has a UUID of ours. `result.user_message_uuids` names the messages that a result answers; a result that
//!   names none belongs to a turn that the agent began by itself. Older versions name no messages at all.
//! - `command_lifecycle` follows a message: `queued`, `started`, then after the result `completed` or `cancelled`.
//! - A message with a UUID that the conversation has already is `completed` without a result, so sending again is safe.
//! - Our answer to a request is repeated on the agent's output (`--replay-user-messages`).

use serde_json::{Value, json};

use super::{
    effect::Ask,
    news::{Messages, News, Request},
};
use tree::{
    kinds::{ApprovalWord, TurnEnd},
    session::ApprovalLine,
};

/// The id of the only request that the driver makes for itself. There is one in each run.
const INITIALIZE: &str = "conductor-initialize";

/// Number of bytes of an error that are kept as the reason of an outcome.
const LONGEST_REASON: usize = 300;

pub(crate) fn initialize() -> Request {
    control(INITIALIZE, &json!({"subtype": "initialize"}))
}

pub(crate) fn turn(message: &str, text: &str) -> Request {
    Request {
        key: message_key(message),
        line: json!({
            "type": "user",
            "message": {"role": "user", "content": text},
            "parent_tool_use_id": null,
            "session_id": "",
            "uuid": message,
        }),
    }
}

pub(crate) fn interrupt(request: &str) -> Request {
    control(request, &json!({"subtype": "interrupt"}))
}

fn control(id: &str, request: &Value) -> Request {
    let line = json!({"type": "control_request", "request_id": id, "request": request});
    Request { key: request_key(id), line }
}

pub(crate) fn answer(ask: &Ask, answer: &ApprovalLine) -> Request {
    let response = if answer.what == ApprovalWord::Approved {
        json!({"behavior": "allow", "updatedInput": answer.input.as_ref().unwrap_or(&ask.input)})
    } else {
        let reason = match answer.what {
            ApprovalWord::Expired => "no person has answered in time",
            ApprovalWord::Withdrawn => "the turn was interrupted",
            _ => "a person has denied this",
        };
        json!({"behavior": "deny", "message": answer.message.as_deref().unwrap_or(reason)})
    };
    respond(&ask.request, &json!({"subtype": "success", "request_id": ask.request, "response": response}))
}

fn respond(id: &str, response: &Value) -> Request {
    Request { key: response_key(id), line: json!({"type": "control_response", "response": response}) }
}

pub(crate) fn key_of(line: &Value) -> Option<String> {
    match text(line, "type")? {
        "user" => Some(message_key(text(line, "uuid")?)),
        "control_request" => Some(request_key(text(line, "request_id")?)),
        "control_response" => Some(response_key(text(line.get("response")?, "request_id")?)),
        _ => None,
    }
}

pub(crate) fn message_key(id: &str) -> String {
    format!("message {id}")
}

pub(crate) fn request_key(id: &str) -> String {
    format!("request {id}")
}

pub(crate) fn response_key(id: &str) -> String {
    format!("response {id}")
}

pub(crate) fn read(line: &Value) -> Vec<News> {
    news(line).into_iter().collect()
}

fn news(line: &Value) -> Option<News> {
    match text(line, "type")? {
        "control_response" => {
            let response = line.get("response")?;
            let request = text(response, "request_id")?;
            if request == INITIALIZE {
                return Some(News::Ready);
            }
            let failed = text(response, "subtype") == Some("error");
            let error = failed.then(|| clipped(text(response, "error").unwrap_or("the agent refused it")));
            Some(News::Replied { request: request.to_owned(), error })
        }
        "user" if line.get("isReplay").and_then(Value::as_bool) == Some(true) => {
            Some(News::Began { message: text(line, "uuid")?.to_owned() })
        }
        "command_lifecycle" => lifecycle(line),
        "result" => Some(result(line)),
        "control_request" => request(line),
        "control_cancel_request" => Some(News::AskEnded { request: text(line, "request_id")?.to_owned() }),
        "system" if text(line, "subtype") == Some("background_tasks_changed") => {
            Some(News::Background(line.get("tasks")?.as_array()?.len()))
        }
        _ => None,
    }
}

fn lifecycle(line: &Value) -> Option<News> {
    let message = text(line, "command_uuid")?.to_owned();
    let reason = match text(line, "state")? {
        "started" => return Some(News::Began { message }),
        // After a result these say nothing new.
        "completed" => "the agent had this message already, and its turn was cut off",
        "cancelled" => "the agent has cancelled the turn",
        _ => return None,
    };
    Some(News::Ended {
        messages: Messages::These(vec![message]),
        end: TurnEnd::Interrupted,
        reason: Some(reason.to_owned()),
    })
}

fn result(line: &Value) -> News {
    let named = line.get("user_message_uuids").and_then(Value::as_array);
    let messages = named.map_or(Messages::Running, |ids| {
        Messages::These(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    });
    let aborted = text(line, "terminal_reason").is_some_and(|reason| reason.starts_with("aborted"));
    if aborted {
        let reason = Some("the turn was interrupted".to_owned());
        return News::Ended { messages, end: TurnEnd::Interrupted, reason };
    }
    if line.get("is_error").and_then(Value::as_bool) != Some(true) {
        return News::Ended { messages, end: TurnEnd::Completed, reason: None };
    }
    let first = line.get("errors").and_then(|e| e.get(0)).and_then(Value::as_str);
    let reason = text(line, "result").or(first).or(text(line, "subtype")).unwrap_or("the turn failed");
    News::Ended { messages, end: TurnEnd::Failed, reason: Some(clipped(reason)) }
}

fn request(line: &Value) -> Option<News> {
    let id = text(line, "request_id")?;
    let request = line.get("request")?;
    let subtype = text(request, "subtype").unwrap_or("nothing");
    if subtype != "can_use_tool" {
        let error = format!("Conductor does not answer '{}'", clipped(subtype));
        let response = json!({"subtype": "error", "request_id": id, "error": error});
        return Some(News::Unanswerable(respond(id, &response)));
    }
    Some(News::Asked(Ask {
        request: id.to_owned(),
        tool: text(request, "tool_name").unwrap_or("a tool").to_owned(),
        input: request.get("input").cloned().unwrap_or_else(|| json!({})),
        description: text(request, "description").map(str::to_owned),
    }))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn clipped(text: &str) -> String {
    if text.len() <= LONGEST_REASON {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST_REASON)])
}
