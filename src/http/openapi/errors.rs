//! The errors that an endpoint can answer with, and what each of them means.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::{
    auth::{self, Need},
    endpoint::{Endpoint, Serve},
};

/// What a status says, wherever it is answered.
const MEANINGS: &[(u16, &str)] = &[
    (400, "A parameter or the body is not understood; the error names it, and its line and column"),
    (401, "A key is wanted, and there is none that is known"),
    (403, "This key, or a page in a browser, must not do this"),
    (404, "What the path names is not there"),
    (408, "The body did not come in time"),
    (409, "This cannot be done as things stand"),
    (413, "The body is larger than `api.max_body`"),
    (414, "The address is longer than 8 KiB"),
    (415, "A body is sent as `Content-Type: application/json`"),
    (416, "The range lies outside the file"),
    (421, "The `Host` header names no host that is served here"),
    (422, "The `Idempotency-Key` was used for another request"),
    (429, "Too many tickets wait to be used"),
    (500, "The daemon, or the disk, has failed; the log has more"),
    (503, "The daemon cannot do this now: it still reads the tree, or starts no tasks"),
    (507, "The disk is full"),
];

/// The statuses of an endpoint's errors.
pub(super) fn of(endpoint: &Endpoint<Serve>) -> BTreeSet<u16> {
    let mut all: BTreeSet<u16> = [400, 403, 414, 421, 500].into();
    all.extend(endpoint.errors);
    if auth::need(endpoint.method, endpoint.path) != Need::Nothing {
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

/// Where the answer of a status is written down.
pub(super) fn reference(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", name(status)) })
}

/// All answers that are errors.
pub(super) fn all(schema: &Value) -> Map<String, Value> {
    let answer = |(status, meaning): &(u16, &str)| {
        let content = json!({ "application/json": { "schema": schema } });
        (name(*status), json!({ "description": meaning, "content": content }))
    };
    MEANINGS.iter().map(answer).collect()
}

fn name(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    reason.unwrap_or("Error").replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;

    #[test]
    fn every_error_has_a_meaning() {
        for endpoint in routes::table().endpoints() {
            for status in of(endpoint) {
                assert!(MEANINGS.iter().any(|(known, _)| *known == status), "{}: {status}", endpoint.path);
            }
        }
    }
}
