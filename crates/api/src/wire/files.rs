//! Files of runs and tasks.

use schemars::JsonSchema;
use serde::Serialize;

use super::time::Time;

/// The text of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileText {
    /// The requested name.
    pub(crate) name: &'static str,
    /// Its text, or the end of the text; bytes that are not UTF-8 are replaced.
    pub(crate) content: String,
    /// The time of the last write.
    pub(crate) modified: Time,
    /// Its size in bytes.
    pub(crate) size_bytes: u64,
    /// The offset of the text within the file, if it is not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    /// True if the beginning was left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) truncated: bool,
}

/// An event of the stream of a file with `format=json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum FileEvent<'a> {
    /// A piece of the file.
    Piece {
        /// The offset of the piece within the file, in bytes.
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
