//! The errors of an endpoint, and their meanings.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::description::Description;
use crate::{endpoint::Declared, keys::Access};

/// Returns the statuses of an endpoint's errors.
#[must_use]
pub fn statuses(endpoint: &Declared) -> BTreeSet<u16> {
    let mut all: BTreeSet<u16> = [400, 403, 414, 421, 500, 503].into();
    all.extend(endpoint.errors);
    if endpoint.access != Access::Open {
        all.insert(401);
    }
    if endpoint.method != "GET" {
        all.insert(415);
    }
    if endpoint.body.is_some() {
        all.extend([408, 413]);
    }
    all
}

/// Returns a reference to the answer of a status.
pub(super) fn reference(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", name(status)) })
}

/// Returns all answers that are errors.
pub(super) fn all(description: &Description, schema: &Value) -> Map<String, Value> {
    let answer = |(status, meaning): &(u16, &str)| {
        let content = json!({ "application/json": { "schema": schema } });
        (name(*status), json!({ "description": meaning, "content": content }))
    };
    description.meanings.iter().map(answer).collect()
}

fn name(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    reason.unwrap_or("Error").replace(' ', "")
}
