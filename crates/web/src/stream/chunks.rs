//! An answer with a body in pieces, as fast as the client takes them.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use warp::{Reply, reply::Response};

/// The answer with this body.
pub fn streamed(body: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    warp::reply::stream(Shared(Mutex::new(Box::pin(body)))).into_response()
}

/// The server requires a stream that threads can share, but polls it from one thread, so nothing ever waits for the
/// lock.
struct Shared(Mutex<Pin<Box<dyn Stream<Item = Bytes> + Send>>>);

impl Stream for Shared {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_next(cx).map(|piece| piece.map(Ok))
    }
}
