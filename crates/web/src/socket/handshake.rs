//! The upgrade of a request to a socket.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::Engine as _;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use warp::reply::Response;

use super::{limits::SocketLimits, talk::Socket};
use crate::{
    error::{Error, Result},
    live::Live,
};

/// The bytes of a `Sec-WebSocket-Key`.
const KEY: usize = 16;

/// A request for a socket, on its way to the endpoint.
#[derive(Debug)]
pub(crate) struct Upgrade {
    on: OnUpgrade,
    accept: String,
    limits: SocketLimits,
    live: Live,
    unread: Arc<AtomicBool>,
    /// Keeps the connection's slot busy.
    turn: Box<dyn Any + Send>,
}

/// Returns the key of a request that asks for a socket of version 13.
fn key<'a>(method: &Method, version: Version, headers: &'a HeaderMap) -> Result<&'a HeaderValue> {
    let lists = |name: header::HeaderName, word: &str| {
        let texts = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
        texts.flat_map(|v| v.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    let asks = lists(header::CONNECTION, "upgrade") && lists(header::UPGRADE, "websocket");
    let known = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|v| v == "13");
    if !asks || !known || *method != Method::GET || version != Version::HTTP_11 {
        let text = "this path is a WebSocket of version 13";
        return Err(Error::new(StatusCode::UPGRADE_REQUIRED, text));
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key) => Ok(key),
        _ => Err(Error::bad_request("a WebSocket needs one Sec-WebSocket-Key: 16 bytes in base64")),
    }
}

fn is_key(key: &HeaderValue) -> bool {
    let bytes = base64::engine::general_purpose::STANDARD.decode(key.as_bytes());
    bytes.is_ok_and(|bytes| bytes.len() == KEY)
}

impl Upgrade {
    /// Takes the upgrade out of a request. `turn` is kept as long as the socket lives. `unread` is set when the
    /// socket opens: when it closes, unread bytes of the client must not keep the client from receiving the reason.
    pub(crate) fn of<B>(
        request: &mut Request<B>,
        limits: SocketLimits,
        live: &Live,
        unread: Arc<AtomicBool>,
        turn: impl Any + Send,
    ) -> Result<Self> {
        let key = key(request.method(), request.version(), request.headers())?;
        let accept = derive_accept_key(key.as_bytes());
        let on = hyper::upgrade::on(request);
        Ok(Self { on, accept, limits, live: live.clone(), unread, turn: Box::new(turn) })
    }

    /// Answers the request, and begins the conversation once the client has the answer.
    pub(crate) fn begin<F>(self, talk: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { on, accept, limits, live, unread, turn } = self;
        unread.store(true, Ordering::Relaxed);
        let shutdown = live.shutdown.clone();
        shutdown.spawn(async move {
            match on.await {
                Ok(upgraded) => talk(Socket::new(upgraded, limits, &live).await).await,
                Err(e) => tracing::debug!(error = %e, "a connection ended before its upgrade to a WebSocket"),
            }
            drop(turn);
        });
        let mut response = Response::new(Vec::new().into());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_request_is_upgraded() {
        let whole = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let status = |method: &Method, version, headers: &[(&'static str, &str)]| {
            let pairs = headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
            let headers: HeaderMap = pairs.collect();
            key(method, version, &headers).map_or_else(|e| e.status.as_u16(), |_| 101)
        };
        assert_eq!(status(&Method::GET, Version::HTTP_11, &whole), 101);
        assert_eq!(status(&Method::POST, Version::HTTP_11, &whole), 426);
        assert_eq!(status(&Method::GET, Version::HTTP_10, &whole), 426);
        for (missing, expected) in [(0, 426), (1, 426), (2, 426), (3, 400)] {
            let headers: Vec<_> = (0..4).filter(|n| *n != missing).map(|n| whole[n]).collect();
            assert_eq!(status(&Method::GET, Version::HTTP_11, &headers), expected, "{missing}");
        }
        let mut short = whole;
        short[3].1 = "c2hvcnQ=";
        assert_eq!(status(&Method::GET, Version::HTTP_11, &short), 400);
    }
}
