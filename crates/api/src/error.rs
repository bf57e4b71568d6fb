//! The status of an error of the daemon.

use std::{error::Error, fmt::Write as _, ops::Deref};

use http::StatusCode;

use base::telemetry::Redactor;
use daemon::StartError;
use engine::runner::RunnerError;
use tree::{FsErrorKind, TreeError, ids::BadId};

pub(super) use web::json;

/// The answer while there is no file descriptor left.
const NO_DESCRIPTOR: &str =
    "the daemon has no file descriptor left (`ulimit -n` of its process is the limit); try again in a moment";

/// The result of a route.
pub(super) type Result<T> = std::result::Result<T, HttpError>;

/// A request that was refused or has failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HttpError(web::Error);

impl HttpError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(web::Error::new(status, message))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self(web::Error::bad_request(message))
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self(web::Error::not_found(message))
    }

    /// Builds an error with its causes, without the secrets that a path or a value may contain.
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
}

impl Deref for HttpError {
    type Target = web::Error;

    fn deref(&self) -> &web::Error {
        &self.0
    }
}

impl From<web::Error> for HttpError {
    fn from(error: web::Error) -> Self {
        Self(error)
    }
}

impl From<HttpError> for web::Error {
    fn from(error: HttpError) -> Self {
        error.0
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
            | RunnerError::PromptByHand { .. }
            | RunnerError::OtherHome { .. } => Self::caused(StatusCode::CONFLICT, &error),
            RunnerError::Reused { .. } => Self::caused(StatusCode::UNPROCESSABLE_ENTITY, &error),
            RunnerError::Shim { .. } => Self::caused(StatusCode::INTERNAL_SERVER_ERROR, &error),
            RunnerError::Agent(_) => {
                let mut refused = Self::caused(StatusCode::BAD_REQUEST, &error);
                if error.is_unknown_agent() {
                    refused.0.message.push_str(
                        "; a daemon reads its configuration when it starts: restart it after you have added an agent",
                    );
                }
                if let Some(hint) = error.agent_hint() {
                    refused.0.message = format!("{}; {hint}", refused.message);
                }
                refused
            }
            RunnerError::Config(_)
            | RunnerError::WorkFolder { .. }
            | RunnerError::Refused(_)
            | RunnerError::NoParent { .. }
            | RunnerError::TooDeep { .. } => Self::caused(StatusCode::BAD_REQUEST, &error),
        }
    }
}

impl From<StartError> for HttpError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Disabled => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            StartError::Updating => Self::new(
                StatusCode::CONFLICT,
                format!("{error}: send this again when GET /api/v1/admin/self-update says idle or failed"),
            ),
            StartError::Ended(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            StartError::Runner(error) => error.into(),
        }
    }
}

impl From<TreeError> for HttpError {
    fn from(error: TreeError) -> Self {
        if let TreeError::Fs(e) = &error
            && e.kind() == FsErrorKind::TooManyOpen
        {
            return Self(web::Error::busy(NO_DESCRIPTOR));
        }
        let status = match &error {
            TreeError::Fs(e) if e.kind() == FsErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
            // A link out of the root, or something other than a file in the place of one.
            TreeError::Fs(e) if matches!(e.kind(), FsErrorKind::Escapes | FsErrorKind::NotAFile) => {
                StatusCode::FORBIDDEN
            }
            TreeError::Fs(e) if e.kind() == FsErrorKind::OnlyShown => StatusCode::FORBIDDEN,
            TreeError::Fs(e) if e.kind() == FsErrorKind::Moved => StatusCode::SERVICE_UNAVAILABLE,
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
