//! Server-sent events: pulled by the client's own pace, kept alive, ended on the way down.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use warp::{
    Reply,
    reply::Response,
    sse::{self, Event},
};

use crate::shutdown::Shutdown;

/// How often a silent stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An event. Its data is always JSON: a line break or `\r` in a text of somebody else forges nothing.
pub(super) fn event(data: &impl Serialize) -> Event {
    let text = serde_json::to_string(data).unwrap_or_else(|_| "{\"type\":\"unspeakable\"}".to_owned());
    // The document's own scripts cut off `data: `; warp writes no space there, and readers drop one.
    Event::default().data(format!(" {text}"))
}

/// The answer that sends these events.
pub(super) fn respond(shutdown: &Shutdown, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    // The comment at once tells a client, and whatever stands between, that the stream is open.
    let opened = futures_util::stream::iter([Event::default().comment("open")]);
    let down = shutdown.token().clone().cancelled_owned();
    let events = opened
        .chain(Shared(Mutex::new(Box::pin(events))))
        .take_until(down)
        .map(Ok::<_, std::convert::Infallible>);
    let kept_alive = sse::keep_alive().interval(KEEP_ALIVE).text("keep-alive").stream(events);
    let mut response = sse::reply(kept_alive).into_response();
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The answer to who has had everything: an `EventSource` does not ask again.
pub(super) fn over() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// warp wants a stream that threads could share, and polls it from one: the lock is never waited for.
struct Shared(Mutex<Pin<Box<dyn Stream<Item = Event> + Send>>>);

impl Stream for Shared {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(cx)
    }
}
