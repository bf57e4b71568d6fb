//! Converts a service's refusal, with its status, headers and body, to one error event.

use chrono::DateTime;
use serde_json::Value;

use tree::event::{ErrorClass, EventKind};

/// Maximum length of a body's text that is not JSON.
const LONGEST: usize = 300;

/// Builds the error event of an answer with this status.
pub(super) fn refusal(status: u16, retry_after: Option<&str>, body: &str) -> EventKind {
    let said = message(body);
    let class = class(status, &said);
    let retry_after = retry_after.map(str::trim);
    let message = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
    EventKind::Error {
        class,
        message,
        http_status: Some(status),
        // RFC 9110, 10.2.3: seconds or a date.
        retry_at: retry_after.and_then(|s| DateTime::parse_from_rfc2822(s).ok()).map(|t| t.to_utc()),
        retry_after: retry_after.and_then(|s| s.parse().ok()).filter(|s: &f64| s.is_finite() && *s >= 0.0),
        retry_clock: None,
        retried: false,
    }
}

/// Builds the error event of an `error` object within a stream.
pub(super) fn within(chunk: &Value) -> EventKind {
    let said = message(&chunk.to_string());
    let number =
        |v: &Value| v.as_u64().or_else(|| v.as_str()?.parse().ok()).and_then(|n| u16::try_from(n).ok());
    let status = number(&chunk["error"]["code"]).filter(|s| (400..600).contains(s));
    let class = status.map_or(ErrorClass::Other, |status| class(status, &said));
    EventKind::Error {
        class,
        message: said,
        http_status: status,
        retry_at: None,
        retry_after: None,
        retry_clock: None,
        retried: false,
    }
}

fn class(status: u16, said: &str) -> ErrorClass {
    let said = said.to_ascii_lowercase();
    match status {
        401 | 403 => ErrorClass::Auth,
        // xAI's message about a wrong key.
        400 if said.contains("incorrect api key") => ErrorClass::Auth,
        402 | 429 => ErrorClass::UsageLimit,
        408 | 500..=599 => ErrorClass::Overload,
        400..=499 => ErrorClass::Request,
        _ => ErrorClass::Other,
    }
}

/// Returns the service's own message, from any of the usual fields.
fn message(body: &str) -> String {
    if let Ok(json) = serde_json::from_str::<Value>(body) {
        let places = ["/error/message", "/error", "/detail", "/message"];
        if let Some(text) = places.iter().find_map(|p| json.pointer(p)?.as_str()) {
            return text.to_owned();
        }
    }
    let body = body.trim();
    // An HTML page of some proxy on the way says no more than its status does.
    if body.starts_with('<') { String::new() } else { body.chars().take(LONGEST).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_went_wrong() {
        for (status, body, class_, message_) in [
            (401, r#"{"error": {"message": "bad key", "code": 401}}"#, ErrorClass::Auth, "HTTP 401: bad key"),
            (401, "<html><h1>401 Authorization Required</h1>", ErrorClass::Auth, "HTTP 401"),
            (
                400,
                r#"{"code": "x", "error": "Incorrect API key provided: de***"}"#,
                ErrorClass::Auth,
                "Incorrect API key",
            ),
            (400, r#"{"error": {"message": "no such model"}}"#, ErrorClass::Request, "no such model"),
            (404, "gone", ErrorClass::Request, "HTTP 404: gone"),
            (429, "", ErrorClass::UsageLimit, "HTTP 429"),
            (500, r#"{"detail": "oops"}"#, ErrorClass::Overload, "HTTP 500: oops"),
            (529, "{}", ErrorClass::Overload, "HTTP 529: {}"),
            (302, "", ErrorClass::Other, "HTTP 302"),
        ] {
            let EventKind::Error { class, message, http_status, .. } = refusal(status, None, body) else {
                panic!()
            };
            assert_eq!((class, http_status), (class_, Some(status)), "{body}");
            assert!(message.contains(message_), "{message}");
        }
    }

    #[test]
    fn a_time_to_try_again_is_seconds_or_a_date() {
        let times = |text| {
            let EventKind::Error { retry_at, retry_after, .. } = refusal(429, text, "") else { panic!() };
            (retry_at.map(|t| t.to_rfc3339()), retry_after)
        };
        assert_eq!(times(None), (None, None));
        assert_eq!(times(Some("7")), (None, Some(7.0)));
        assert_eq!(times(Some(" 1.5 ")), (None, Some(1.5)));
        assert_eq!(times(Some("-1")), (None, None));
        let date = "2026-11-22T07:28:00+00:00".to_owned();
        assert_eq!(times(Some("Sun, 22 Nov 2026 07:28:00 GMT")), (Some(date), None));
        assert_eq!(times(Some("soon")), (None, None));
    }

    #[test]
    fn an_error_in_a_stream_has_the_status_that_it_tells() {
        for (chunk, class_, status) in [
            (serde_json::json!({"error": {"message": "busy", "code": 529}}), ErrorClass::Overload, Some(529)),
            (
                serde_json::json!({"error": {"message": "busy", "code": "429"}}),
                ErrorClass::UsageLimit,
                Some(429),
            ),
            (serde_json::json!({"error": "busy"}), ErrorClass::Other, None),
        ] {
            let EventKind::Error { class, message, http_status, .. } = within(&chunk) else { panic!() };
            assert_eq!((class, message.as_str(), http_status), (class_, "busy", status));
        }
    }
}
