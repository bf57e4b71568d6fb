//! The facts about an API that its endpoints do not declare.

use serde_json::{Map, Value, json};

use super::super::{endpoint::SchemaOf, keys::KeyLocations};

/// The facts about an API that its endpoints do not declare.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The name of the API.
    pub title: &'static str,
    /// Its purpose, in a sentence.
    pub about: &'static str,
    /// The URL below which its paths are.
    pub server: &'static str,
    /// The URL at which examples call it.
    pub example: &'static str,
    /// The URL of the document itself.
    pub document: &'static str,
    /// The URL of the style of its page.
    pub style: &'static str,
    /// The groups of its operations, in order.
    pub tags: &'static [&'static str],
    /// The group of an operation, by its path.
    pub tag: fn(&str) -> &'static str,
    /// The schema of its errors.
    pub error: SchemaOf,
    /// The meaning of each status of an error.
    pub meanings: &'static [(u16, &'static str)],
    /// The places in which its clients put their key.
    pub key_locations: KeyLocations,
}

impl Description {
    /// The ways in which a client may show a key: none, or one of the schemes.
    pub(super) fn security(&self) -> Value {
        let schemes = self.security_schemes();
        let each = schemes.keys().map(|name| Map::from_iter([(name.clone(), json!([]))]).into());
        std::iter::once(json!({})).chain(each).collect()
    }

    pub(super) fn security_schemes(&self) -> Map<String, Value> {
        let bearer = ("bearer".to_owned(), json!({ "type": "http", "scheme": "bearer" }));
        let named = self.key_locations.headers.iter().map(|name| ("header", *name));
        let named = named.chain(self.key_locations.query.map(|name| ("query", name)));
        let named = named.enumerate().map(|(n, (place, name))| {
            let scheme = if n == 0 { "key".to_owned() } else { format!("key{}", n + 1) };
            (scheme, json!({ "type": "apiKey", "in": place, "name": name }))
        });
        std::iter::once(bearer).chain(named).collect()
    }
}
