//! The document as a whole.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{description::Description, errors, operation, page::page, schemas::Schemas};
use crate::endpoint::{Audience, Table};

const JSON: &str = "application/json";
/// The media type of the page for users.
pub const HTML: &str = "text/html; charset=utf-8";
/// The media type of its style.
pub const CSS: &str = "text/css; charset=utf-8";

/// The style of the page.
const STYLE: &[u8] = include_bytes!("style.css");

/// The document in all its formats, built once.
#[derive(Debug)]
pub struct Document {
    /// For programs.
    pub json: Asset,
    /// For users.
    pub page: Asset,
    /// The style of the page.
    pub style: Asset,
}

/// Bytes that do not change while the process runs.
#[derive(Debug)]
pub struct Asset {
    /// The bytes.
    pub bytes: Bytes,
    /// Their media type.
    pub media: &'static str,
    /// Their tag, as the `ETag` header spells it.
    pub tag: String,
}

impl Asset {
    fn new(media: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { bytes, media, tag: format!("\"{:016x}\"", hasher.finish()) }
    }
}

impl Document {
    /// The document of a table's endpoints.
    #[must_use]
    pub fn of<S>(table: &Table<S>, description: &Description) -> Self {
        let document = value(table, description);
        Self {
            json: Asset::new(JSON, serde_json::to_vec(&document).unwrap_or_default()),
            page: Asset::new(HTML, page(&document, description)),
            style: Asset::new(CSS, STYLE),
        }
    }
}

/// Returns the document as JSON.
#[must_use]
pub fn value<S>(table: &Table<S>, description: &Description) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in table.declared().filter(|e| e.audience == Audience::Programs) {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_ascii_lowercase()] = operation::of(endpoint, description, &mut schemas);
    }
    let tags: Vec<Value> = description.tags.iter().map(|name| json!({ "name": name })).collect();
    let error = schemas.sent(description.error);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": description.title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": description.about,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": description.server }],
        "tags": tags,
        "security": description.security(),
        "paths": paths,
        "components": {
            "responses": errors::all(description, &error),
            "securitySchemes": description.security_schemes(),
        },
    });
    schemas.settle(document)
}
