//! What a page of another origin may do, and how its browser is told so.

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use warp::reply::Response;

use super::error::HttpError;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Content-Type, Authorization, X-API-Key, X-Request-ID, X-Conductor-Client, Idempotency-Key, Last-Event-ID, Range",
);
/// What scripts may read of an answer beside what they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "X-Request-ID, Idempotency-Replayed, Allow, Content-Range, Retry-After, WWW-Authenticate",
);
/// For how many seconds a browser remembers what it may send.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins of `api.cors_origins`.
#[derive(Debug, Clone, Default)]
pub(super) struct Cors(Vec<String>);

/// An origin that may call, as its answers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin(HeaderValue);

impl Cors {
    pub(super) fn new(origins: &[String]) -> Self {
        Self(origins.to_vec())
    }

    /// The origin of a request, if it is one of those that may call.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Option<Origin> {
        let origin = headers.get(header::ORIGIN)?;
        self.0.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| Origin(origin.clone()))
    }
}

impl Origin {
    /// Lets the page behind the origin read the answer.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.0);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// Whether a browser asks before it sends what a page wants to send.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What a browser is told before: it needs no key, for it sends none.
pub(super) fn preflight(headers: &HeaderMap, origin: Option<&Origin>) -> Result<Response, HttpError> {
    if origin.is_none() {
        let text = "requests from other sites are refused; api.cors_origins lists those that may call";
        return Err(HttpError::new(StatusCode::FORBIDDEN, text));
    }
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if headers.contains_key("access-control-request-private-network") {
        answer.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
    Ok(response)
}
