//! Server-sent events: pulled at the client's own pace, kept alive, and ended by the shutdown.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use warp::reply::Response;

use super::{super::live::Live, chunks::streamed};

/// Interval of the comments that keep a silent stream alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An event in wire format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(Bytes);

/// The fields of an event besides its data.
#[derive(Debug, Clone, Copy, Default)]
pub struct Label<'a> {
    /// The cursor after the event, at which a disconnected client continues. It has no line breaks.
    pub id: Option<&'a str>,
    /// Its type, for those that are not plain messages.
    pub event: Option<&'static str>,
}

impl Event {
    /// Creates an event. Its data is always JSON on one line, so that a foreign text cannot forge a field.
    pub fn new(label: Label<'_>, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
        let mut text = String::with_capacity(data.len() + 64);
        for (name, value) in [("event", label.event), ("id", label.id), ("data", Some(data.as_str()))] {
            if let Some(value) = value {
                text.push_str(name);
                text.push_str(": ");
                text.push_str(value);
                text.push('\n');
            }
        }
        text.push('\n');
        Self(text.into())
    }

    /// Creates an event with a text for users. Each of its lines is a field of its own, whatever ends the line. A
    /// client gets the text back with `\n` between the lines, and without the end of the last one.
    #[must_use]
    pub fn text(label: Label<'_>, text: &str) -> Self {
        let mut event = String::with_capacity(text.len() + 64);
        for (name, value) in [("event", label.event), ("id", label.id)] {
            if let Some(value) = value {
                event.push_str(name);
                event.push_str(": ");
                event.push_str(value);
                event.push('\n');
            }
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        for line in text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')) {
            event.push_str("data: ");
            event.push_str(line);
            event.push('\n');
        }
        event.push('\n');
        Self(event.into())
    }

    /// Creates the event after which a client discards its state, because its cursor is unknown.
    #[must_use]
    pub fn reset(id: Option<&str>) -> Self {
        Self::new(Label { id, event: None }, &serde_json::json!({ "type": "reset" }))
    }

    /// Returns its length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no event is empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn comment(text: &str) -> Self {
        Self(format!(": {text}\n\n").into())
    }
}

/// Answers with these events.
pub fn respond(live: &Live, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    // The comment at once tells the client, and proxies on the way, that the stream is open.
    let opened = stream::iter([Event::comment("open")]);
    let down = live.shutdown.token().clone().cancelled_owned();
    let counted = live.counters.stream();
    let events = opened.chain(kept_alive(events)).take_until(down).map(move |event| {
        counted.sent(event.0.len());
        event.0
    });
    let mut response = streamed(events);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Answers a client that has received everything: after this an `EventSource` does not reconnect.
#[must_use]
pub fn over() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Adds a comment to the events after each silent interval.
fn kept_alive(events: impl Stream<Item = Event> + Send + 'static) -> impl Stream<Item = Event> + Send {
    stream::unfold(Box::pin(events), async |mut events| {
        match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_) => Some((Event::comment("keep-alive"), events)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_forges_no_field() {
        let data = serde_json::json!({ "line": "a\rid: 9\ndata: forged\u{2028}" });
        let event = Event::new(Label { id: Some("s=1"), event: Some("message") }, &data);
        let text = std::str::from_utf8(&event.0).unwrap();
        assert!(!text.contains('\r'), "{text}");
        assert_eq!(text.matches('\n').count(), 4, "{text}");
        assert!(text.starts_with("event: message\nid: s=1\ndata: {"), "{text}");
    }

    #[test]
    fn every_end_of_a_line_begins_a_field() {
        for (text, data) in [
            ("a\nb\n", "data: a\ndata: b\n\n"),
            ("a\r\nb\rid: 9\r\n", "data: a\ndata: b\ndata: id: 9\n\n"),
            ("\n", "data: \n\n"),
            ("a\n\nb", "data: a\ndata: \ndata: b\n\n"),
        ] {
            assert_eq!(std::str::from_utf8(&Event::text(Label::default(), text).0), Ok(data), "{text:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled() {
        let mut events = Box::pin(kept_alive(stream::pending()));
        assert_eq!(events.next().await, Some(Event::comment("keep-alive")));
        let mut events = Box::pin(kept_alive(stream::empty()));
        assert_eq!(events.next().await, None);
    }
}
