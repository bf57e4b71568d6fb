//! What is answered where something was not done.

use schemars::JsonSchema;
use serde::Serialize;

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(in crate::http) struct Failure<'a> {
    /// What is wrong, and why.
    pub(in crate::http) error: &'a str,
    /// What to do about it; with 401 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) message: Option<&'static str>,
}
