//! Parses Conductor's own lines: each line is a [`What`] as in `events.jsonl`, with a `time` if there is one.

use serde::Deserialize;
use serde_json::Value;

use super::{
    heard::{Heard, time},
    retry::Retry,
};
use crate::tree::event::What;

/// Interprets a line; `None` if its type is unknown, or a field is missing.
pub(super) fn hear(line: &Value) -> Option<Heard> {
    let mut what = What::deserialize(line).ok()?;
    if let What::Error { retry_after, .. } = &mut what {
        *retry_after = retry_after.and_then(|seconds| Retry::after(seconds).after);
    }
    Some(Heard { time: time(line, "time"), ..Heard::of([what]) })
}
