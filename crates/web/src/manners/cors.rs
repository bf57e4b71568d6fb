//! The pages of other origins that may call an API, and the answers that permit it to their browsers.

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use warp::reply::Response;

use super::super::error::{Error, Origin, Result};

/// The time in seconds for which a browser remembers the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The pages of other origins that may call.
#[derive(Debug, Clone)]
pub struct Cors {
    /// Their origins.
    pub origins: Vec<String>,
    /// The methods that they may use, as a header spells them.
    pub methods: &'static str,
    /// The headers that they may send.
    pub headers: AllowedHeaders,
    /// The headers of answers that scripts may read, beside those that they always may.
    pub exposed: &'static str,
    /// The status and text for all others.
    pub refusal: (StatusCode, &'static str),
}

/// The headers that a page of another origin may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedHeaders {
    /// These, as a header spells them.
    These(&'static str),
    /// The requested ones.
    Requested,
}

/// An origin that may call, as its answers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    origin: HeaderValue,
    exposed: HeaderValue,
}

impl Cors {
    /// No page of another origin may call.
    pub const NONE: Self = Self {
        origins: Vec::new(),
        methods: "",
        headers: AllowedHeaders::These(""),
        exposed: "",
        refusal: (StatusCode::FORBIDDEN, "requests from other sites are refused"),
    };

    /// Returns the origin of a request, if it is one of those that may call.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<Allowed> {
        let origin = headers.get(header::ORIGIN)?;
        let known = self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
        known.then(|| Allowed { origin: origin.clone(), exposed: HeaderValue::from_static(self.exposed) })
    }

    /// The refusal of a page that may not call.
    pub(crate) fn refuse(&self) -> Error {
        let (status, text) = self.refusal;
        Error::new(status, text).from(Origin::Guard)
    }

    /// Answers a preflight. It needs no key, because browsers send none with it.
    pub(crate) fn preflight(&self, headers: &HeaderMap, allowed: Option<&Allowed>) -> Result<Response> {
        if allowed.is_none() {
            return Err(self.refuse());
        }
        let mut response = Response::new(Vec::new().into());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(self.methods));
        let sendable = match self.headers {
            AllowedHeaders::These(names) => Some(HeaderValue::from_static(names)),
            AllowedHeaders::Requested => headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        };
        if let Some(names) = sendable {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if headers.contains_key("access-control-request-private-network") {
            answer.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

impl Allowed {
    /// Permits the page at the origin to read the answer.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed);
    }
}

/// Returns true if a browser asks if a page may send a request.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
