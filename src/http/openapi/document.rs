//! The document as a whole.

use bytes::Bytes;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{errors, operation, schemas::Schemas};
use crate::http::{endpoint::Table, wire};

/// The document, spelled once.
#[derive(Debug)]
pub(in crate::http) struct Document {
    /// Its JSON.
    pub(in crate::http) json: Bytes,
}

impl Document {
    /// The document of these endpoints.
    pub(in crate::http) fn of(table: &Table) -> Self {
        Self { json: serde_json::to_vec_pretty(&value(table)).unwrap_or_default().into() }
    }
}

fn value(table: &Table) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in table.endpoints() {
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
        assert_eq!(all, routes::table().endpoints().count());
    }
}
