//! Detects the usage limit or overload that an agent waits out by itself: the last event of its output, an error that
//! the agent retries.
//!
//! Most agents report one on standard output. Others are silent there, and leave a line on standard error.

use super::{dialect::Dialect, error_report::ErrorReport, failure::Failure};
use crate::event::{ErrorClass, Event, EventKind};

/// The refusal that an agent waits out, as far as the agent reported it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusals {
    last: Option<Failure>,
}

impl Refusals {
    /// Adds the next event. Any further activity of the agent ends the waiting.
    pub fn add(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Error { retried: true, .. } => self.last = limit(&event.kind),
            // These events appear beside an answer, or while there is none.
            EventKind::Session { .. } | EventKind::Usage { .. } | EventKind::Raw { .. } => {}
            _ => self.last = None,
        }
    }

    /// Returns the refusal, if no other activity followed it.
    #[must_use]
    pub fn last(&self) -> Option<&Failure> {
        self.last.as_ref()
    }
}

/// The refusal at the end of standard error; `None` if there is none, or another failure came after it.
#[must_use]
pub fn refusal_on_stderr(dialect: Dialect, tail: &str) -> Option<Failure> {
    let Dialect::Lines(language) = dialect else { return None };
    let words = tail.lines().rev().find_map(language.refusal?)?;
    limit(&ErrorReport::new(&words).that_passes().into_error())
}

/// Returns the failure, if it passes with time.
fn limit(kind: &EventKind) -> Option<Failure> {
    Failure::of(kind).filter(|f| matches!(f.class, ErrorClass::UsageLimit | ErrorClass::Overload))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transcript::{events_of_line, line::samples::EVENTS};

    #[test]
    fn a_refusal_lasts_until_the_agent_does_something_else() {
        let error = |class: &str| {
            json!({"type": "error", "class": class, "message": "m", "retry_after": 7.5, "retried": true})
                .to_string()
        };
        let (waits, broken) = (&*error("usage_limit"), &*error("connection"));
        let speaks = r#"{"type":"message","role":"assistant","text":"So.","partial":false}"#;
        let last = |lines: &[&str]| {
            let mut refusals = Refusals::default();
            for line in lines {
                let dialect = Dialect::Lines(&EVENTS);
                let events = events_of_line(dialect, 0, line.len() as u64 + 1, line.as_bytes());
                for event in &events {
                    refusals.add(event);
                }
            }
            refusals.last().map(|f| (f.class, f.retry_after))
        };
        assert_eq!(last(&[speaks, waits]), Some((ErrorClass::UsageLimit, Some(7.5))));
        let unknown = "{\"type\":\"of the future\"}";
        assert_eq!(last(&[waits, unknown]), Some((ErrorClass::UsageLimit, Some(7.5))));
        assert_eq!(last(&[waits, speaks]), None);
        assert_eq!(last(&[waits, broken]), None);
        assert_eq!(last(&[]), None);
        assert_eq!(refusal_on_stderr(Dialect::Lines(&EVENTS), "Rate limit reached"), None);
    }
}
