//! What an endpoint answers: a status, and the type or the media type of what is sent with it.

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// The schema of a type.
pub(in crate::http) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One of the answers of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Answer {
    /// Its status.
    pub(in crate::http) status: StatusCode,
    /// When it is given.
    pub(in crate::http) when: &'static str,
    /// What it sends.
    pub(in crate::http) content: Content,
}

/// What an answer sends.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum Content {
    /// JSON of a type.
    Json(SchemaOf),
    /// Server-sent events whose data is JSON of a type.
    Events(SchemaOf),
    /// Text of a media type.
    Text(&'static str),
    /// Nothing.
    Nothing,
}

/// The schema of this type, by reference where it has a name.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
