//! Our own words: each line is a [`What`] as it stands in `events.jsonl`, with a `time` where there is one.

use serde::Deserialize;
use serde_json::Value;

use super::heard::{Heard, time};
use crate::tree::event::What;

/// What a line says; `None` if it is of a type that we do not know, or lacks something.
pub(super) fn hear(line: &Value) -> Option<Heard> {
    let what = What::deserialize(line).ok()?;
    Some(Heard { time: time(line, "time"), ..Heard::of([what]) })
}
