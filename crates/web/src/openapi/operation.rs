//! An endpoint as an operation of the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{description::Description, errors, schemas::Schemas};
use crate::{
    endpoint::{Content, Declared, Kind, Location, Param, Reply},
    keys::Access,
};

/// The operation of an endpoint.
pub(super) fn of(endpoint: &Declared, description: &Description, schemas: &mut Schemas) -> Value {
    let params = endpoint.target.iter().chain(&endpoint.params);
    let params: Vec<Value> = params.map(|p| parameter(p, schemas)).collect();
    let mut operation = json!({
        "operationId": id(endpoint),
        "summary": endpoint.summary,
        "tags": [(description.tag)(endpoint.path)],
        "parameters": params,
        "responses": responses(endpoint, schemas),
    });
    if !endpoint.about.is_empty() {
        operation["description"] = endpoint.about.into();
    }
    if let Some(body) = endpoint.body {
        let content = json!({ "application/json": { "schema": schemas.taken(body.schema) } });
        operation["requestBody"] = json!({ "required": body.required, "content": content });
    }
    match endpoint.access {
        Access::Open => operation["security"] = json!([]),
        Access::Key(scope) => operation["x-scope"] = scope.as_str().into(),
    }
    operation
}

/// The operation's id: `getProjectsProjectIdStats`.
fn id(endpoint: &Declared) -> String {
    let mut id = endpoint.method.to_ascii_lowercase();
    let words =
        endpoint.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty() && *w != "api");
    for word in words {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    id
}

fn parameter(param: &Param, schemas: &mut Schemas) -> Value {
    let location = match param.location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Header => "header",
    };
    let schema = match param.kind {
        Kind::Text(of) => schemas.taken(of),
        Kind::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        Kind::Words(words) => json!({ "type": "array", "items": { "type": "string", "enum": words } }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::Number { least, most: usize::MAX } => json!({ "type": "integer", "minimum": least }),
        Kind::Number { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
    };
    let mut parameter = json!({
        "name": param.name,
        "in": location,
        "description": param.about,
        "required": param.required,
        "schema": schema,
    });
    if param.location == Location::Query && !param.required {
        // An empty value counts as absent.
        parameter["allowEmptyValue"] = true.into();
    }
    if let Kind::Words(_) = param.kind {
        parameter["explode"] = false.into();
    }
    parameter
}

fn responses(endpoint: &Declared, schemas: &mut Schemas) -> Map<String, Value> {
    let mut replies: BTreeMap<u16, Vec<&Reply>> = BTreeMap::new();
    for reply in &endpoint.replies {
        replies.entry(reply.status.as_u16()).or_default().push(reply);
    }
    let mut responses = Map::new();
    for (status, replies) in replies {
        let when: Vec<&str> = replies.iter().map(|r| r.when).collect();
        let mut response = json!({ "description": when.join("; ") });
        for reply in replies {
            let (media, content) = match reply.content {
                Content::Json(of) => ("application/json", json!({ "schema": schemas.sent(of) })),
                Content::Events(of) => (
                    "text/event-stream",
                    json!({ "schema": { "type": "string" }, "x-event-data": schemas.sent(of) }),
                ),
                Content::Text(media) => (media, json!({ "schema": { "type": "string" } })),
                Content::Frames { sent, taken } => {
                    let frames = json!({ "sent": schemas.sent(sent), "taken": schemas.taken(taken) });
                    response["x-frames"] = frames;
                    continue;
                }
                Content::Nothing => continue,
            };
            response["content"][media] = content;
        }
        responses.insert(status.to_string(), response);
    }
    for status in errors::statuses(endpoint) {
        responses.insert(status.to_string(), errors::reference(status));
    }
    responses
}
