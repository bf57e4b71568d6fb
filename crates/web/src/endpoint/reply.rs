//! The documented answers of an endpoint: a status, and the type or media type of the body.

use http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One of the answers of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// The case in which it is given.
    pub when: &'static str,
    /// The body.
    pub content: Content,
}

/// The body of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// JSON of a type.
    Json(SchemaOf),
    /// Server-sent events with JSON of a type as their data.
    Events(SchemaOf),
    /// A socket with texts of both sides, JSON of these types.
    Frames {
        /// The type of ours.
        sent: SchemaOf,
        /// The type of the client's.
        taken: SchemaOf,
    },
    /// Text of a media type.
    Text(&'static str),
    /// Nothing.
    Nothing,
}

/// Returns the schema of a type, by reference if the type has a name.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
