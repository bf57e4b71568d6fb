//! The answer to a failed request.

use schemars::JsonSchema;
use serde::Serialize;

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(in crate::http) struct Failure<'a> {
    /// The failure and its cause.
    pub(in crate::http) error: &'a str,
    /// The next step; with 401 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) message: Option<&'static str>,
}
