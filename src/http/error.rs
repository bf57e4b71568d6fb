//! Every answer that is no success: `{"error": "…"}` with its status.

use std::{convert::Infallible, error::Error, fmt::Write as _};

use http::{HeaderValue, StatusCode, header};
use warp::{Rejection, reply::Response};

use super::wire;
use crate::{
    runner::RunnerError,
    telemetry::Redactor,
    tree::{FsErrorKind, TreeError, ids::BadId},
};

/// The result of a route.
pub(super) type Result<T> = std::result::Result<T, HttpError>;

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpError {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// The methods of the path, if it was requested with another one.
    allow: Option<String>,
}

impl HttpError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn too_large(most: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {most} bytes (api.max_body)"),
        )
    }

    pub(super) fn wrong_method(allow: String) -> Self {
        let message = format!("this method is not known here; it is one of {allow}");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message, allow: Some(allow) }
    }

    pub(super) fn no_proxy() -> Self {
        let allow = Some("GET, HEAD, POST, DELETE, OPTIONS".to_owned());
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message: "this is no proxy".to_owned(), allow }
    }

    /// Builds the error with its causes, and without the secrets that a path or a value may contain.
    fn caused(status: StatusCode, error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a `String` cannot fail.
            let _ = write!(message, ": {cause}");
            source = cause.source();
        }
        Self::new(status, Redactor::default().text(&message).into_owned())
    }

    /// Converts the error to an answer.
    pub(super) fn into_response(self) -> Response {
        if self.status.is_server_error() && self.status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(status = self.status.as_u16(), error = %self.message, "a request failed");
        }
        let message = (self.status == StatusCode::UNAUTHORIZED).then_some("valid API key required");
        let body = wire::Failure { error: &self.message, message };
        let mut response = json(self.status, &body);
        if let Some(Ok(allow)) = self.allow.map(|allow| HeaderValue::from_str(&allow)) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

impl From<RunnerError> for HttpError {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Tree(e) => e.into(),
            RunnerError::Cycle(_)
            | RunnerError::Unanswerable { .. }
            | RunnerError::TaskFolder { .. }
            | RunnerError::OtherFolder { .. }
            | RunnerError::OtherHome { .. } => Self::caused(StatusCode::CONFLICT, &error),
            RunnerError::Reused { .. } => Self::caused(StatusCode::UNPROCESSABLE_ENTITY, &error),
            RunnerError::Shim { .. } => Self::caused(StatusCode::INTERNAL_SERVER_ERROR, &error),
            RunnerError::Agent(_) => {
                let mut refused = Self::caused(StatusCode::BAD_REQUEST, &error);
                if let Some(hint) = error.agent_hint() {
                    refused.message = format!("{}; {hint}", refused.message);
                }
                refused
            }
            RunnerError::Config(_) | RunnerError::WorkFolder { .. } | RunnerError::Refused(_) => {
                Self::caused(StatusCode::BAD_REQUEST, &error)
            }
        }
    }
}

impl From<TreeError> for HttpError {
    fn from(error: TreeError) -> Self {
        let status = match &error {
            TreeError::Fs(e) if e.kind() == FsErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
            // A link out of the root, or something other than a file in the place of one.
            TreeError::Fs(e) if matches!(e.kind(), FsErrorKind::Escapes | FsErrorKind::NotAFile) => {
                StatusCode::FORBIDDEN
            }
            TreeError::Fs(_) | TreeError::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
            TreeError::BadId(_) | TreeError::BadPath(_) | TreeError::Invalid(_) => StatusCode::BAD_REQUEST,
            TreeError::NotFound { .. } => StatusCode::NOT_FOUND,
            TreeError::Exists { .. } | TreeError::Locked { .. } => StatusCode::CONFLICT,
        };
        Self::caused(status, &error)
    }
}

impl From<BadId> for HttpError {
    fn from(error: BadId) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// Builds a JSON answer.
pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let (status, body) = match serde_json::to_vec(value) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, br#"{"error":"the answer has no spelling"}"#.to_vec()),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Converts the result of a route to an answer.
pub(super) fn answer(result: Result<Response>) -> Response {
    result.unwrap_or_else(HttpError::into_response)
}

/// Answers a request that no filter took. This is a bug, because the door has already selected the endpoint.
pub(super) async fn refused(_: Rejection) -> std::result::Result<Response, Infallible> {
    let text = "the request could not be handed to what answers it";
    Ok(HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, text).into_response())
}
