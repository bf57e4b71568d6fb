//! Server-sent events: pulled by the client's own pace, kept alive, ended on the way down.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use warp::{Reply, reply::Response};

use crate::shutdown::Shutdown;

/// How often a silent stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An event as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event(Bytes);

/// What an event is called besides its data.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Label<'a> {
    /// Where a client that was cut off goes on; one of our own cursors, without line breaks.
    pub(super) id: Option<&'a str>,
    /// Its type, for those that are not plain messages.
    pub(super) event: Option<&'static str>,
}

impl Event {
    /// An event. Its data is always JSON on one line: what somebody else wrote cannot forge a field.
    pub(super) fn new(label: Label<'_>, data: &impl Serialize) -> Self {
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

    /// Tells a client to forget what it knows: the place where it wants to go on is unknown.
    pub(super) fn reset() -> Self {
        Self::new(Label::default(), &serde_json::json!({ "type": "reset" }))
    }

    fn comment(text: &str) -> Self {
        Self(format!(": {text}\n\n").into())
    }
}

/// The answer that sends these events.
pub(super) fn respond(shutdown: &Shutdown, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    // The comment at once tells a client, and whatever stands between, that the stream is open.
    let opened = stream::iter([Event::comment("open")]);
    let down = shutdown.token().clone().cancelled_owned();
    let events = opened.chain(kept_alive(events)).take_until(down);
    let mut response = warp::reply::stream(Shared(Mutex::new(Box::pin(events)))).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The answer to who has had everything: an `EventSource` does not ask again.
pub(super) fn over() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The same events, with a comment wherever there was none for a while.
fn kept_alive(events: impl Stream<Item = Event> + Send + 'static) -> impl Stream<Item = Event> + Send {
    stream::unfold(Box::pin(events), async |mut events| {
        match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_) => Some((Event::comment("keep-alive"), events)),
        }
    })
}

/// The server wants a stream that threads could share, and polls it from one: the lock is never waited for.
struct Shared(Mutex<Pin<Box<dyn Stream<Item = Event> + Send>>>);

impl Stream for Shared {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        events.as_mut().poll_next(cx).map(|event| event.map(|event| Ok(event.0)))
    }
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

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled() {
        let mut events = Box::pin(kept_alive(stream::pending()));
        assert_eq!(events.next().await, Some(Event::comment("keep-alive")));
        let mut events = Box::pin(kept_alive(stream::empty()));
        assert_eq!(events.next().await, None);
    }
}
