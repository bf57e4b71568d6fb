//! A request that was refused or has failed. The manners of its mount format the answer.

use http::StatusCode;
use serde_json::Value;

/// The result of an endpoint.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that was refused or has failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The status of the answer.
    pub status: StatusCode,
    /// The failure and its cause.
    pub message: String,
    /// A word for programs, in APIs that have such words.
    pub code: Option<&'static str>,
    /// More fields, in APIs that have them.
    pub details: Option<Value>,
    /// The part of the server that refused the request.
    pub origin: Origin,
    /// The number of seconds after which the same request may succeed.
    pub retry_after: Option<u16>,
}

/// The part of the server that refused a request, for manners that format some refusals in a way of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The guard: host, site, or form of the request.
    Guard,
    /// The check of the key.
    Key,
    /// The table: it has no such path.
    NoRoute,
    /// The table: the path has these methods only, as the `Allow` header spells them.
    WrongMethod(String),
    /// The endpoint, or the reading of its parameters and body.
    Endpoint,
}

impl Error {
    /// An error of an endpoint.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            code: None,
            details: None,
            origin: Origin::Endpoint,
            retry_after: None,
        }
    }

    /// 400.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404: the named thing does not exist.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 413.
    #[must_use]
    pub fn too_large(most: u64) -> Self {
        let text = format!("the body is larger than {most} bytes (api.max_body)");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// 503: the server has no room for the request now, and the client may send it again.
    #[must_use]
    pub fn busy(message: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// 401.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized").from(Origin::Key)
    }

    pub(super) fn no_route() -> Self {
        Self::not_found("there is no such route").from(Origin::NoRoute)
    }

    pub(super) fn wrong_method(allow: String) -> Self {
        let message = format!("this path does not have this method; it has {allow}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message).from(Origin::WrongMethod(allow))
    }

    /// Adds a word for programs.
    #[must_use]
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Adds more fields.
    #[must_use]
    pub fn with_details(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    pub(super) fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }
}
