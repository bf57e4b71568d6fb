//! The manners of a mount: everything that differs between APIs beside their endpoints.

mod cors;
mod headers;

use http::{HeaderMap, Method, header};
use warp::reply::Response;

use super::{
    error::{Error, Origin},
    keys::KeyLocations,
    response::json,
};

pub(super) use cors::is_preflight;
pub use cors::{AllowedHeaders, Cors};
pub(super) use headers::{Finish, finish};

/// The manners of a mount.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Formats the answer to a request that was refused or has failed, 404 and 405 included.
    pub spell: fn(&Error, &RefusedRequest<'_>) -> Response,
    /// The places in which clients put their key.
    pub key_locations: KeyLocations,
    /// The `WWW-Authenticate` header of a 401.
    pub challenge: &'static str,
    /// The pages of other origins that may call.
    pub cors: Cors,
    /// Maximum size of a body in bytes, if an endpoint declares no other limit.
    pub max_body: u64,
    /// The meaning of a slash after a path.
    pub slashes: Slashes,
    /// The pages for users that are served beside the endpoints.
    pub pages: PageRules,
}

/// The meaning of a slash after a path that is in the table without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slashes {
    /// It is another path.
    Strict,
    /// It is the same path.
    Ignored,
    /// The client is redirected to the path without it (307).
    Redirected,
}

/// A refused request, as far as the format of the refusal depends on it.
#[derive(Debug, Clone, Copy)]
pub struct RefusedRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path.
    pub path: &'a str,
    /// Its own name, as the log has it.
    pub request_id: &'a str,
}

/// The pages for users that a mount serves: files of the program, which need no key.
#[derive(Debug, Clone, Copy)]
pub struct PageRules {
    /// Returns true if a path is one of a page or of a part of one. A link from another site may lead there.
    pub is_page: fn(&str) -> bool,
    /// Answers a request for a page; `None` if the request is for something else.
    pub answer: fn(&Method, &str, &HeaderMap) -> Option<Response>,
}

impl PageRules {
    /// No pages.
    pub const NONE: Self = Self { is_page: |_| false, answer: |_, _, _| None };
}

impl Manners {
    /// The simplest manners: errors as `{"error": …}`, a key as `Authorization: Bearer`, no page of another origin.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            spell: |error, _| json(error.status, &serde_json::json!({ "error": error.message })),
            key_locations: KeyLocations {
                headers: &[],
                query: None,
                advice: "send it as 'Authorization: Bearer <key>'",
            },
            challenge: "Bearer",
            cors: Cors::NONE,
            max_body: 1024 * 1024,
            slashes: Slashes::Strict,
            pages: PageRules::NONE,
        }
    }

    /// Formats a refusal, and logs it if it is an error of the server.
    pub(super) fn refuse(&self, error: &Error, asked: &RefusedRequest<'_>) -> Response {
        if error.status.is_server_error() && error.status != http::StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(status = error.status.as_u16(), error = %error.message, "a request failed");
        }
        let mut response = (self.spell)(error, asked);
        if let Origin::WrongMethod(allow) = &error.origin
            && let Ok(allow) = http::HeaderValue::from_str(allow)
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        if let Some(seconds) = error.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, http::HeaderValue::from(seconds));
        }
        if error.status == http::StatusCode::UPGRADE_REQUIRED {
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, http::HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, http::HeaderValue::from_static("13"));
        }
        response
    }
}
