//! Files of runs and tasks.

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;

/// The text of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct FileText {
    /// The name that it was asked for by.
    pub(in crate::http) name: &'static str,
    /// Its text, or the end of it; bytes that are no UTF-8 are replaced.
    pub(in crate::http) content: String,
    /// When it was last written to.
    pub(in crate::http) modified: Time,
    /// How large it is.
    pub(in crate::http) size_bytes: u64,
    /// Where in the file the text begins, if not at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) offset: Option<u64>,
    /// Whether the beginning was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::http) truncated: bool,
}

/// An event of the stream of a file with `format=json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::http) enum FileEvent<'a> {
    /// A piece of the file.
    Piece {
        /// Where in the file it begins, in bytes.
        offset: u64,
        /// Its text.
        text: &'a str,
    },
    /// The end.
    Done {
        /// `done`
        #[serde(rename = "type")]
        kind: &'static str,
    },
}
