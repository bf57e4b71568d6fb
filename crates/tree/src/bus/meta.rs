//! The `meta` of a message: a JSON object that is kept as text.
//!
//! As text it takes no more memory than its line on disk (as values, some thirty times as much), and numbers and repeated
//! keys stay as they were sent.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use serde_json::{Value, value::RawValue};

/// Deepest nesting of a `meta` that is read, as other readers of JSON have it.
const DEEPEST: usize = 126;

/// A JSON object on one line, kept as text.
#[derive(Clone, Default)]
pub struct Meta(Option<Box<RawValue>>);

impl Meta {
    /// Returns true if it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().map_or("{}", RawValue::get)
    }

    /// Returns the value of a key, the last one if the key is repeated.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        let text = self.0.as_deref()?.get();
        // Most messages have none of the keys that the program asks for.
        if !text.contains(key) && !text.contains('\\') {
            return None;
        }
        let found = serde_json::Deserializer::from_str(text).deserialize_map(Find(key)).ok()??;
        serde_json::from_str(found.get()).ok()
    }

    /// Adds an entry. It hides an earlier one of the same key.
    pub fn insert(&mut self, key: &str, value: &Value) {
        let entry = format!("{}:{value}", Value::from(key));
        let entry = one_line(&entry);
        let text = match self.0.as_deref() {
            Some(raw) => format!("{},{entry}}}", &raw.get()[..raw.get().len() - 1]),
            None => format!("{{{entry}}}"),
        };
        // Both parts are JSON.
        self.0 = RawValue::from_string(text).ok();
    }

    /// Returns the number of levels of arrays and objects below the object itself.
    pub(super) fn depth(&self) -> usize {
        depth(self.as_str()).saturating_sub(1)
    }

    /// Returns the object that this text is; `None` if it is another JSON value.
    fn new(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        if !text.starts_with('{') {
            return None;
        }
        let text = one_line(text);
        let is_empty = text == "{}";
        Some(Self(if is_empty { None } else { RawValue::from_string(text.into_owned()).ok() }))
    }
}

/// Finds the last value of a key, without making values of the others.
struct Find<'a>(&'a str);

impl<'de> de::Visitor<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<de::IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Returns JSON without space between its parts, and with the characters escaped that some readers take for the end of
/// a line.
fn one_line(json: &str) -> Cow<'_, str> {
    let needs_work = |c: char| c.is_ascii_whitespace() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    if !json.contains(needs_work) {
        return Cow::Borrowed(json);
    }
    let (mut text, mut in_text, mut escaped) = (String::with_capacity(json.len()), false, false);
    for c in json.chars() {
        match c {
            '\u{85}' => text.push_str("\\u0085"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c if c.is_ascii_whitespace() && !in_text => {}
            c => text.push(c),
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = in_text,
            '"' => in_text = !in_text,
            _ => {}
        }
    }
    Cow::Owned(text)
}

/// Returns the deepest nesting of arrays and objects in valid JSON.
fn depth(json: &str) -> usize {
    let (mut deepest, mut depth, mut in_text, mut escaped) = (0, 0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl PartialEq for Meta {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<K: AsRef<str>> FromIterator<(K, Value)> for Meta {
    fn from_iter<T: IntoIterator<Item = (K, Value)>>(entries: T) -> Self {
        let mut meta = Self::default();
        for (key, value) in entries {
            meta.insert(key.as_ref(), &value);
        }
        meta
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(raw) => raw.serialize(to),
            None => to.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        let meta = Self::new(&raw).ok_or_else(|| de::Error::custom("meta must be an object"))?;
        if meta.depth() >= DEEPEST {
            return Err(de::Error::custom("meta is nested too deep"));
        }
        Ok(meta)
    }
}

impl JsonSchema for Meta {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Meta".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Value>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_stays_as_it_was_sent_on_one_line() {
        for (sent, kept) in [
            ("{}", "{}"),
            (" { \n } ", "{}"),
            (r#"{"n":1.0,"big":123456789012345678901234567890,"e":1E400}"#, ""),
            (r#"{"k":1,"k":2}"#, ""),
            ("{ \"a b\" : [ 1,\n 2 ],\t\"c\\\"  d\": \"\u{2028} \" }", r#"{"a b":[1,2],"c\"  d":"\u2028 "}"#),
        ] {
            let meta: Meta = serde_json::from_str(sent).unwrap();
            let kept = if kept.is_empty() { sent } else { kept };
            assert_eq!(meta.as_str(), kept);
            assert_eq!(serde_json::to_string(&meta).unwrap(), kept);
        }
        for bad in ["[]", "null", "5", "\"x\"", "{", "{\"a\":}"] {
            assert!(serde_json::from_str::<Meta>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn entries_are_found_and_added() {
        let mut meta: Meta = serde_json::from_str(r#"{"k":1,"k":{"x":[2]},"a\u0062":"\"k\""}"#).unwrap();
        assert_eq!(meta.get("k"), Some(json!({ "x": [2] })));
        meta.insert("once", &json!("a \u{2029}b"));
        meta.insert("k", &json!(3));
        assert_eq!(meta.get("k"), Some(json!(3)));
        assert_eq!(meta.get("once"), Some(json!("a \u{2029}b")));
        assert_eq!(meta.get("nce"), None);
        assert!(meta.as_str().starts_with(r#"{"k":1,"k":{"#) && !meta.as_str().contains('\u{2029}'));
        let made: Meta = [("a", json!(1)), ("b", json!({ "c": [] }))].into_iter().collect();
        assert_eq!((made.as_str(), made.depth()), (r#"{"a":1,"b":{"c":[]}}"#, 2));
    }

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        let deep = |n: usize| format!("{{\"a\":{}\"[[\\\"[\"{}}}", "[".repeat(n), "]".repeat(n));
        assert_eq!(serde_json::from_str::<Meta>(&deep(5)).unwrap().depth(), 5);
        assert!(serde_json::from_str::<Meta>(&deep(DEEPEST)).is_err());
    }
}
