//! The document as a whole.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{errors, operation, page::page, schemas::Schemas};
use crate::http::{
    endpoint::{Audience, Table},
    wire,
};

const JSON: &str = "application/json";
pub(in crate::http) const HTML: &str = "text/html; charset=utf-8";
pub(in crate::http) const CSS: &str = "text/css; charset=utf-8";

/// How the page looks.
const STYLE: &[u8] = include_bytes!("style.css");

/// The document in all its spellings, made once.
#[derive(Debug)]
pub(in crate::http) struct Document {
    /// For programs.
    pub(in crate::http) json: Asset,
    /// For people.
    pub(in crate::http) page: Asset,
    /// How that looks.
    pub(in crate::http) style: Asset,
}

/// Bytes that stay as they are while the daemon runs.
#[derive(Debug)]
pub(in crate::http) struct Asset {
    /// The bytes.
    pub(in crate::http) bytes: Bytes,
    /// Their media type.
    pub(in crate::http) media: &'static str,
    /// What tells them from others, as the `ETag` header spells it.
    pub(in crate::http) tag: String,
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
    /// The document of these endpoints.
    pub(in crate::http) fn of(table: &Table) -> Self {
        let document = value(table);
        Self {
            json: Asset::new(JSON, serde_json::to_vec(&document).unwrap_or_default()),
            page: Asset::new(HTML, page(&document)),
            style: Asset::new(CSS, STYLE),
        }
    }
}

fn value(table: &Table) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in table.endpoints().filter(|e| e.audience == Audience::Programs) {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.to_ascii_lowercase()] = operation::of(endpoint, &mut schemas);
    }
    let tags = ["Daemon", "Projects", "Tasks", "Runs", "Messages"].map(|name| json!({ "name": name }));
    let error = schemas.sent(SchemaGenerator::subschema_for::<wire::Failure>);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Conductor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs AI coding agents for hours, unattended.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "security": [{}, { "bearer": [] }, { "key": [] }],
        "paths": paths,
        "components": {
            "responses": errors::all(&error),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
            },
        },
    });
    schemas.settle(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;

    #[test]
    fn the_document_is_whole() {
        let document = value(&routes::table());
        let text = document.to_string();
        // Each reference leads somewhere.
        for at in text.split("\"$ref\":\"#").skip(1) {
            let pointer = at.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let parents =
            |schema: &str| document["components"]["schemas"][schema]["properties"]["msg_id"].clone();
        assert!(parents("Parent").is_object() && parents("GivenParent").is_null(), "a bare id is taken, too");
        let mut ids: Vec<&str> =
            text.split("\"operationId\":\"").skip(1).map(|t| &t[..t.find('"').unwrap()]).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "an operation's id is its own");
        let documented = routes::table().endpoints().filter(|e| e.audience == Audience::Programs).count();
        assert_eq!(all, documented);
    }

    #[test]
    fn the_page_has_every_operation_and_loads_nothing_from_elsewhere() {
        let document = Document::of(&routes::table());
        let page = std::str::from_utf8(&document.page.bytes).unwrap().replace("<wbr>", "");
        for endpoint in routes::table().endpoints().filter(|e| e.audience == Audience::Programs) {
            assert!(page.contains(&format!("<code>{}</code>", endpoint.path)), "{}", endpoint.path);
        }
        // Each link within it leads somewhere.
        for at in page.split("href=\"#").skip(1) {
            let id = at.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for forbidden in ["<script", " style=", "src=", "http://", "https://", "@import", "url("] {
            let style = std::str::from_utf8(STYLE).unwrap();
            let page = page.replace("http://localhost:14355", "");
            assert!(!page.contains(forbidden) && !style.contains(forbidden), "{forbidden}");
        }
    }
}
