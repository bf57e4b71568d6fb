//! Detects the usage limit or overload that an agent waits out by itself: the last event of its output, an error that
//! the agent retries.
//!
//! Claude and Codex report it on standard output. Gemini and OpenCode print nothing there, and write a line to standard
//! error.

use serde_json::Value;

use super::{dialect::Dialect, failure::Failure, trouble::Trouble};
use crate::tree::event::{ErrorClass, Event, What};

/// The refusal that an agent waits out, as far as the agent reported it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusals {
    last: Option<Failure>,
}

impl Refusals {
    /// Adds the next event. Any further activity of the agent ends the waiting.
    pub fn add(&mut self, event: &Event) {
        match &event.what {
            What::Error { retried: true, .. } => self.last = limit(&event.what),
            // These events appear beside an answer, or while there is none.
            What::Session { .. } | What::Usage { .. } | What::Raw { .. } => {}
            _ => self.last = None,
        }
    }

    /// Returns the refusal, if no other activity followed it.
    #[must_use]
    pub fn last(&self) -> Option<&Failure> {
        self.last.as_ref()
    }
}

/// Returns true if the agent reports its refusals on standard error.
#[must_use]
pub fn refuses_on_stderr(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Gemini | Dialect::Opencode)
}

/// Returns the refusal at the end of standard error; `None` if there is none, or another failure came after it.
#[must_use]
pub fn refusal_on_stderr(dialect: Dialect, tail: &str) -> Option<Failure> {
    let words = match dialect {
        Dialect::Gemini => gemini,
        Dialect::Opencode => opencode,
        _ => return None,
    };
    limit(&Trouble::new(&tail.lines().rev().find_map(words)?).that_passes().into_error())
}

/// Matches `Attempt 3 failed with status 429. Retrying with backoff... _ApiError: {…}`, or `Attempt 3 failed: You
/// exceeded your current quota…. Retrying after 38211ms...`.
fn gemini(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Attempt ")?.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.starts_with(" failed").then(|| line.to_owned())
}

/// Matches `timestamp=… level=ERROR … message="stream error" … error.error="AI_APICallError: Rate limit reached…"`.
fn opencode(line: &str) -> Option<String> {
    if !line.contains("level=ERROR") || !line.contains("message=\"stream error\"") {
        return None;
    }
    let (_, quoted) = line.split_once("error.error=")?;
    let first = serde_json::Deserializer::from_str(quoted).into_iter::<Value>().next();
    first.and_then(Result::ok).and_then(|v| v.as_str().map(str::to_owned)).or_else(|| Some(quoted.to_owned()))
}

/// Returns the failure, if it passes with time.
fn limit(what: &What) -> Option<Failure> {
    Failure::of(what).filter(|f| matches!(f.class, ErrorClass::UsageLimit | ErrorClass::Overload))
}

#[cfg(test)]
mod tests {
    use ErrorClass::{Overload, UsageLimit};

    use super::*;
    use crate::transcript::events_of_line;

    #[test]
    fn a_refusal_lasts_until_the_agent_does_something_else() {
        let waits = r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":7353,"error_status":429,"error":"rate_limit"}"#;
        let broken = r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":7353,"error_status":null,"error":"unknown"}"#;
        let speaks = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"So."}]}}"#;
        let last = |lines: &[&str]| {
            let mut refusals = Refusals::default();
            for line in lines {
                let events = events_of_line(Dialect::Claude, 0, line.len() as u64 + 1, line.as_bytes());
                for event in &events {
                    refusals.add(event);
                }
            }
            refusals.last().map(|f| (f.class, f.retry_after))
        };
        assert_eq!(last(&[speaks, waits]), Some((UsageLimit, Some(7.353))));
        assert_eq!(last(&[waits, "{\"type\":\"of the future\"}"]), Some((UsageLimit, Some(7.353))));
        assert_eq!(last(&[waits, speaks]), None);
        assert_eq!(last(&[waits, broken]), None);
        assert_eq!(last(&[]), None);
    }

    #[test]
    fn what_agents_leave_on_standard_error() {
        let told = |dialect, tail: &str| refusal_on_stderr(dialect, tail).map(|f| (f.class, f.retry_after));
        let gemini = "YOLO mode is enabled.\nAttempt 2 failed with status 429. Retrying with backoff... _ApiError: {\"error\":{\"code\":429,\"message\":\"scripted error 429\",\"status\":\"INTERNAL\"}}\n    at throwErrorIfNotOK (file:///chunk.js:267833:24) {\n  status: 429\n}\n";
        assert_eq!(told(Dialect::Gemini, gemini), Some((UsageLimit, None)));
        let delayed = "Attempt 1 failed: You exceeded your current quota. Retrying after 38211ms...\n";
        assert_eq!(told(Dialect::Gemini, delayed), Some((UsageLimit, Some(38.211))));
        let overload = "Attempt 1 failed with status 503. Retrying with backoff... _ApiError: {}\n";
        assert_eq!(told(Dialect::Gemini, overload), Some((Overload, None)));
        let network = "Attempt 1 failed. Retrying with backoff... TypeError: fetch failed\n";
        assert_eq!(told(Dialect::Gemini, &format!("{gemini}{network}")), None);
        let opencode = "timestamp=2026-11-30T10:29:01.804Z level=ERROR run=3510b06a message=\"stream error\" providerID=conductor modelID=fake-model small=false error.error=\"AI_APICallError: Rate limit reached for \\\"x\\\". Please try again in 7s.\"\n";
        assert_eq!(told(Dialect::Opencode, opencode), Some((UsageLimit, Some(7.0))));
        assert_eq!(told(Dialect::Opencode, "level=ERROR message=\"another\"\n"), None);
        assert_eq!(told(Dialect::Claude, gemini), None);
    }
}
