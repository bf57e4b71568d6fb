//! The stream of the agents that are APIs: each line is a [`What`] as it stands in `events.jsonl`, with an optional `time`.

use serde::Deserialize;
use serde_json::Value;

use tree::{
    event::What,
    transcript::{Language, LineContent, Retry, fields::time},
};

/// The language of these streams.
pub(in super::super) static LANGUAGE: Language = Language { name: "native", parse, refusal: None };

/// The content of a line; `None` if its type is unknown, or a field is missing.
fn parse(line: &Value) -> Option<LineContent> {
    let mut what = What::deserialize(line).ok()?;
    if let What::Error { retry_after, .. } = &mut what {
        *retry_after = retry_after.and_then(|seconds| Retry::after(seconds).after);
    }
    Some(LineContent { time: time(line, "time"), ..LineContent::of([what]) })
}
