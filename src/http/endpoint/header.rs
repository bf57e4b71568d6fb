//! The headers that endpoints understand.

use super::param::{Param, opaque, text};

/// Where a client that was cut off goes on.
pub(in crate::http) const LAST_EVENT_ID: Param = text::<String>(
    "Last-Event-ID",
    "The id of the last event that was received: the stream goes on behind it",
)
.in_header();

/// What a client calls a request that it may send again.
pub(in crate::http) const IDEMPOTENCY_KEY: Param = opaque(
    "Idempotency-Key",
    "^[!-~]{1,255}$",
    "A name for this request: sent again with the same name it is not done twice, and answered as before",
)
.in_header();

/// Which bytes are asked for.
pub(in crate::http) const RANGE: Param =
    text::<String>("Range", "The bytes that are asked for, as in `bytes=0-1023`; one range only").in_header();

/// What a client has already.
pub(in crate::http) const IF_NONE_MATCH: Param =
    text::<String>("If-None-Match", "The `ETag` of what is there already: 304 if it is still the same")
        .in_header();
