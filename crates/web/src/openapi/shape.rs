//! The meaning of a schema, in a few words with links.

use serde_json::Value;

use super::html::Html;

/// Returns the name by which a schema is referenced.
pub(super) fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// Adds the type of a value.
pub(super) fn say(html: &mut Html, schema: &Value) {
    if let Some(name) = referred(schema) {
        return html.link(&format!("schema-{name}"), name);
    }
    for form in ["anyOf", "oneOf", "allOf"] {
        if let Some(all) = schema[form].as_array() {
            return either(html, all, say);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return either(html, words, constant);
    }
    if !schema["const"].is_null() {
        return constant(html, &schema["const"]);
    }
    match &schema["type"] {
        Value::String(kind) => one(html, kind, schema),
        Value::Array(kinds) => {
            either(html, kinds, |html, kind| one(html, kind.as_str().unwrap_or("any"), schema));
        }
        _ => html.text("anything"),
    }
}

fn either(html: &mut Html, all: &[Value], each: impl Fn(&mut Html, &Value)) {
    for (n, one) in all.iter().enumerate() {
        if n > 0 {
            html.text(" or ");
        }
        each(html, one);
    }
}

fn constant(html: &mut Html, value: &Value) {
    html.of("code", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
}

fn one(html: &mut Html, kind: &str, schema: &Value) {
    html.text(kind);
    match kind {
        "array" if !schema["items"].is_null() => {
            html.text(" of ");
            say(html, &schema["items"]);
        }
        "object" if schema["additionalProperties"].is_object() => {
            html.text(" of ");
            say(html, &schema["additionalProperties"]);
        }
        "string" if schema["format"].is_string() => {
            html.text(format_args!(" ({})", schema["format"].as_str().unwrap_or_default()));
        }
        "integer" | "number" => match (&schema["minimum"], &schema["maximum"]) {
            (Value::Null, Value::Null) => {}
            (least, Value::Null) => html.text(format_args!(" from {least}")),
            (Value::Null, most) => html.text(format_args!(" to {most}")),
            (least, most) => html.text(format_args!(" from {least} to {most}")),
        },
        _ => {}
    }
}

/// Returns the properties of a schema, including inherited ones: name, schema, and true if the property is always
/// present.
pub(super) fn properties<'a>(schema: &'a Value, all: &'a Value) -> Vec<(&'a str, &'a Value, bool)> {
    let mut found = Vec::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let part = referred(part).map_or(part, |name| &all[name]);
        found.extend(properties(part, all));
    }
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)))
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.push((name.as_str(), property, required(name)));
    }
    found
}
