//! Our own words: each line is a [`What`] as it stands in `events.jsonl`, with a `time` where there is one.

use serde::Deserialize;
use serde_json::Value;

use super::{
    heard::{Heard, time},
    retry::Retry,
};
use crate::tree::event::What;

/// What a line says; `None` if it is of a type that we do not know, or lacks something.
pub(super) fn hear(line: &Value) -> Option<Heard> {
    let mut what = What::deserialize(line).ok()?;
    if let What::Error { retry_after, .. } = &mut what {
        *retry_after = retry_after.and_then(|seconds| Retry::after(seconds).after);
    }
    Some(Heard { time: time(line, "time"), ..Heard::of([what]) })
}
