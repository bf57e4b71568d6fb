//! The manners of this API, and the facts about it that its endpoints do not declare.

use http::StatusCode;
use schemars::{Schema, SchemaGenerator};
use warp::reply::Response;

use super::{page, wire};
use web::{
    AllowedHeaders, Cors, Error, KeyLocations, Manners, PageRules, RefusedRequest, Slashes, json,
    openapi::Description,
};

const KEY_PLACES: KeyLocations = KeyLocations {
    headers: &["X-API-Key"],
    query: None,
    advice: "send it as 'Authorization: Bearer <key>', or ask for a ticket with POST /api/v1/tickets",
};

/// The manners of this API with these settings.
pub(super) fn manners(api: &config::Api) -> Manners {
    Manners {
        spell,
        key_locations: KEY_PLACES,
        challenge: "Bearer realm=\"conductor\"",
        cors: Cors {
            origins: api.cors_origins.clone(),
            methods: "GET, POST, DELETE, OPTIONS",
            headers: AllowedHeaders::These(
                "Content-Type, Authorization, X-API-Key, X-Request-ID, X-Conductor-Client, Idempotency-Key, \
                 Last-Event-ID, Range",
            ),
            exposed: "X-Request-ID, Idempotency-Replayed, Allow, Content-Range, Retry-After, WWW-Authenticate",
            refusal: (
                StatusCode::FORBIDDEN,
                "requests from other sites are refused; api.cors_origins lists those that may call",
            ),
        },
        max_body: api.max_body,
        slashes: Slashes::Strict,
        pages: PageRules { is_page: page::is_page, answer: page::answer },
    }
}

/// Formats an error: `{"error": "…"}`, and a hint with a 401.
fn spell(error: &Error, _: &RefusedRequest<'_>) -> Response {
    let message = (error.status == StatusCode::UNAUTHORIZED).then_some("valid API key required");
    json(error.status, &wire::Failure { error: &error.message, message })
}

/// The facts about this API that its endpoints do not declare.
pub(super) const DESCRIPTION: Description = Description {
    title: "Conductor",
    about: "Runs AI coding agents for hours, unattended.",
    server: "/",
    example: "http://localhost:14355",
    document: "/openapi.json",
    style: "/docs/style.css",
    tags: &["Daemon", "Projects", "Tasks", "Runs", "Messages"],
    tag,
    error: |generator: &mut SchemaGenerator| -> Schema { generator.subschema_for::<wire::Failure<'_>>() },
    meanings: MEANINGS,
    key_locations: KEY_PLACES,
};

/// Returns the noun that a path is about.
fn tag(path: &str) -> &'static str {
    let nouns = [("messages", "Messages"), ("runs", "Runs"), ("tasks", "Tasks"), ("projects", "Projects")];
    let of = |segment: &str| nouns.into_iter().find(|(noun, _)| *noun == segment);
    path.rsplit('/').find_map(of).map_or("Daemon", |(_, tag)| tag)
}

/// The meaning of each status of an error.
const MEANINGS: &[(u16, &str)] = &[
    (400, "A parameter or the body is invalid; the error names it, and its line and column"),
    (401, "The request needs a key, and has none or an unknown one"),
    (403, "This key, or a page in a browser, must not do this"),
    (404, "The thing that the path names does not exist"),
    (408, "The body did not come in time"),
    (409, "The request conflicts with the current state"),
    (413, "The body is larger than `api.max_body`"),
    (414, "The address is longer than 8 KiB"),
    (415, "A body is sent as `Content-Type: application/json`"),
    (416, "The range lies outside the file"),
    (421, "The `Host` header names no host that is served here"),
    (422, "The `Idempotency-Key` was used for another request"),
    (429, "Too many tickets wait to be used"),
    (500, "The daemon, or the disk, has failed; the log has more"),
    (
        503,
        "The daemon cannot do this now: it still reads the tree, starts no tasks, or has no memory or file descriptor left for it; `Retry-After`, if it is there, says when to try again",
    ),
    (507, "The disk is full"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;
    use web::{
        Audience,
        openapi::{Document, statuses, value},
    };

    #[test]
    fn every_error_has_a_meaning() {
        for endpoint in routes::table().declared() {
            for status in statuses(endpoint) {
                assert!(MEANINGS.iter().any(|(known, _)| *known == status), "{}: {status}", endpoint.path);
            }
        }
    }

    #[test]
    fn the_document_is_whole() {
        let document = value(&routes::table(), &DESCRIPTION);
        let text = document.to_string();
        // Each reference leads to a part of the document.
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
        let documented = routes::table().declared().filter(|e| e.audience == Audience::Programs).count();
        assert_eq!(all, documented);
    }

    #[test]
    fn the_page_has_every_operation_and_loads_nothing_from_elsewhere() {
        let document = Document::of(&routes::table(), &DESCRIPTION);
        let page = std::str::from_utf8(&document.page.bytes).unwrap().replace("<wbr>", "");
        for endpoint in routes::table().declared().filter(|e| e.audience == Audience::Programs) {
            assert!(page.contains(&format!("<code>{}</code>", endpoint.path)), "{}", endpoint.path);
        }
        // Each link within the page leads to a part of it.
        for at in page.split("href=\"#").skip(1) {
            let id = at.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for forbidden in ["<script", " style=", "src=", "http://", "https://", "@import", "url("] {
            let style = std::str::from_utf8(&document.style.bytes).unwrap();
            let page = page.replace("http://localhost:14355", "");
            assert!(!page.contains(forbidden) && !style.contains(forbidden), "{forbidden}");
        }
    }
}
