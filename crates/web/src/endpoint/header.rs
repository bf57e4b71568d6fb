//! The header that every endpoint with a stream understands.

use super::param::{Param, text};

/// The cursor at which a disconnected client continues.
pub const LAST_EVENT_ID: Param = text::<String>(
    "Last-Event-ID",
    "The id of the last event that was received: the stream goes on behind it",
)
.in_header();
