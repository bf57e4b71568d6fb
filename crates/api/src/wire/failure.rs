//! The answer to a failed request.

use schemars::JsonSchema;
use serde::Serialize;

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct Failure<'a> {
    /// The failure and its cause.
    pub(crate) error: &'a str,
    /// The next step; with 401 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'static str>,
}
