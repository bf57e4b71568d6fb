//! An endpoint as an operation of the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{errors, schemas::Schemas};
use crate::http::{
    auth::{self, Need},
    endpoint::{Answer, Content, Endpoint, Kind, Param, Place, Serve},
};

/// The operation of an endpoint.
pub(super) fn of(endpoint: &Endpoint<Serve>, schemas: &mut Schemas) -> Value {
    let params = endpoint.target.iter().chain(&endpoint.params);
    let params: Vec<Value> = params.map(|p| parameter(p, schemas)).collect();
    let mut operation = json!({
        "operationId": id(endpoint),
        "summary": endpoint.summary,
        "tags": [tag(endpoint.path)],
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
    match auth::need(endpoint.method, endpoint.path) {
        Need::Nothing => operation["security"] = json!([]),
        Need::Key(scope) => operation["x-scope"] = scope.as_str().into(),
    }
    operation
}

/// What the operation is called: `getProjectsProjectIdStats`.
fn id(endpoint: &Endpoint<Serve>) -> String {
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

/// The noun that a path is about.
pub(super) fn tag(path: &str) -> &'static str {
    let nouns = [("messages", "Messages"), ("runs", "Runs"), ("tasks", "Tasks"), ("projects", "Projects")];
    let of = |segment: &str| nouns.into_iter().find(|(noun, _)| *noun == segment);
    path.rsplit('/').find_map(of).map_or("Daemon", |(_, tag)| tag)
}

fn parameter(param: &Param, schemas: &mut Schemas) -> Value {
    let place = match param.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
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
        "in": place,
        "description": param.about,
        "required": param.required,
        "schema": schema,
    });
    if param.place == Place::Query && !param.required {
        // As if it were not there.
        parameter["allowEmptyValue"] = true.into();
    }
    if let Kind::Words(_) = param.kind {
        parameter["explode"] = false.into();
    }
    parameter
}

fn responses(endpoint: &Endpoint<Serve>, schemas: &mut Schemas) -> Map<String, Value> {
    let mut answers: BTreeMap<u16, Vec<&Answer>> = BTreeMap::new();
    for answer in &endpoint.answers {
        answers.entry(answer.status.as_u16()).or_default().push(answer);
    }
    let mut responses = Map::new();
    for (status, answers) in answers {
        let when: Vec<&str> = answers.iter().map(|a| a.when).collect();
        let mut response = json!({ "description": when.join("; ") });
        for answer in answers {
            let (media, content) = match answer.content {
                Content::Json(of) => ("application/json", json!({ "schema": schemas.sent(of) })),
                Content::Events(of) => (
                    "text/event-stream",
                    json!({ "schema": { "type": "string" }, "x-event-data": schemas.sent(of) }),
                ),
                Content::Text(media) => (media, json!({ "schema": { "type": "string" } })),
                Content::Nothing => continue,
            };
            response["content"][media] = content;
        }
        responses.insert(status.to_string(), response);
    }
    for status in errors::of(endpoint) {
        responses.insert(status.to_string(), errors::reference(status));
    }
    responses
}
