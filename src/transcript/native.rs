//! The words of native.

use serde_json::Value;

use super::heard::Heard;

/// What a line says; `None` if it is of a type that we do not know.
pub(super) fn hear(_line: &Value) -> Option<Heard> {
    None
}
