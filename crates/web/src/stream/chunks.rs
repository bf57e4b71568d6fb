//! An answer with a body in pieces, as fast as the client takes them.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use warp::{Reply, reply::Response};

/// The answer with this body.
pub fn streamed(body: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    streamed_or_cut(body.map(Ok))
}

/// The answer with this body. An error cuts the connection, so that the client knows the body to be incomplete.
pub fn streamed_or_cut(body: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    warp::reply::stream(Shared(Mutex::new(Box::pin(body)))).into_response()
}

/// The server requires a stream that threads can share, but polls it from one thread, so nothing ever waits for the
/// lock.
struct Shared(Mutex<Pin<Box<Pieces>>>);

type Pieces = dyn Stream<Item = io::Result<Bytes>> + Send;

impl Stream for Shared {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_next(cx)
    }
}
