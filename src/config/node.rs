//! The configuration file in its raw form: YAML values that know which line they stand in.
//!
//! Repeated keys are kept, so that the error can name both lines. What a key
//! means is left to [`super::section`].

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_yaml::{DuplicateKeyPolicy, Options, Spanned};

/// A value and the line it starts in, counted from 1; 0 if it stands in no file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub line: u64,
    pub raw: Raw,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Null,
    Bool(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    /// Text of a flag or variable, which may stand for a number or a Boolean too.
    Untyped(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub line: u64,
    pub node: Node,
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct Syntax {
    /// Line, counted from 1; 0 if the parser does not know.
    pub line: u64,
    /// What the parser says.
    pub problem: String,
}

/// Understands the text of a file. An empty one is [`Raw::Null`].
pub(super) fn parse(text: &str) -> Result<Node, Syntax> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    let parsed: Option<Spanned<Raw>> = serde_yaml::from_str_with_options(text, options).map_err(|e| {
        let line = e.location().map_or(0, |l| l.line());
        let problem = match e.without_snippet() {
            serde_yaml::Error::MultipleDocuments { .. } => "a second document begins here".to_owned(),
            // The place stands before the message already.
            other => other.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        };
        Syntax { line, problem }
    })?;
    Ok(parsed.map_or(Node { line: 0, raw: Raw::Null }, Node::from))
}

impl Node {
    /// The text of a flag or variable.
    pub fn untyped(text: &str) -> Self {
        Self { line: 0, raw: Raw::Untyped(text.to_owned()) }
    }

    /// A value that stands in no file.
    pub fn from_json(value: &Value) -> Self {
        let raw = match value {
            Value::Null => Raw::Null,
            Value::Bool(b) => Raw::Bool(*b),
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(whole), _) => Raw::Whole(whole),
                (None, number) => Raw::Number(number.unwrap_or(f64::NAN)),
            },
            Value::String(s) => Raw::Text(s.clone()),
            Value::Array(list) => Raw::List(list.iter().map(Self::from_json).collect()),
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| Entry {
                    key: key.clone(),
                    line: 0,
                    node: Self::from_json(value),
                };
                Raw::Map(map.iter().map(entry).collect())
            }
        };
        Self { line: 0, raw }
    }

    /// The value without its lines.
    pub fn to_json(&self) -> Value {
        match &self.raw {
            Raw::Null => Value::Null,
            Raw::Bool(b) => Value::from(*b),
            Raw::Whole(n) => Value::from(*n),
            Raw::Number(n) => Value::from(*n),
            Raw::Text(s) | Raw::Untyped(s) => Value::from(s.as_str()),
            Raw::List(list) => list.iter().map(Self::to_json).collect(),
            Raw::Map(map) => map.iter().map(|e| (e.key.clone(), e.node.to_json())).collect(),
        }
    }

    /// What stands there, for a message.
    pub fn describe(&self) -> String {
        match &self.raw {
            Raw::Bool(b) => b.to_string(),
            Raw::Whole(n) => format!("the number {n}"),
            Raw::Number(n) => format!("the number {n}"),
            Raw::Text(s) | Raw::Untyped(s) => {
                format!("'{}'", s.chars().take(60).collect::<String>().escape_debug())
            }
            Raw::Null | Raw::List(_) | Raw::Map(_) => self.kind().to_owned(),
        }
    }

    /// The kind of what stands there, for a message that must not show it.
    pub fn kind(&self) -> &'static str {
        match &self.raw {
            Raw::Null => "nothing",
            Raw::Bool(_) => "true or false",
            Raw::Whole(_) | Raw::Number(_) => "a number",
            Raw::Text(_) | Raw::Untyped(_) => "this text",
            Raw::List(_) => "a list",
            Raw::Map(_) => "a section",
        }
    }
}

impl From<Spanned<Raw>> for Node {
    fn from(spanned: Spanned<Raw>) -> Self {
        Self { line: spanned.referenced.line(), raw: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Whole(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        #[expect(clippy::cast_precision_loss, reason = "a number beyond i64 is only told about")]
        Ok(i64::try_from(value).map_or(Raw::Number(value as f64), Raw::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Raw>>()? {
            list.push(item.into());
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, node)) = map.next_entry::<Spanned<String>, Spanned<Raw>>()? {
            entries.push(Entry { key: key.value, line: key.referenced.line(), node: node.into() });
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Entry {
        let Raw::Map(entries) = &node.raw else { panic!("{node:?} is no map") };
        entries.iter().find(|e| e.key == key).unwrap()
    }

    #[test]
    fn every_value_knows_its_line() {
        let text =
            "# words\na:\n  b: 10s\n  c: [x, 2]\nd: {e: true,\n    f: 1.5}\ng: \"10\"\nh: ~/x\ni:\nj: on\n";
        let node = parse(text).unwrap();
        let a = entry(&node, "a");
        assert_eq!(a.line, 2);
        assert_eq!(entry(&a.node, "b").node, Node { line: 3, raw: Raw::Text("10s".to_owned()) });
        let Raw::List(list) = &entry(&a.node, "c").node.raw else { panic!() };
        assert_eq!(list[1], Node { line: 4, raw: Raw::Whole(2) });
        let f = entry(&entry(&node, "d").node, "f");
        assert_eq!((f.line, &f.node.raw), (6, &Raw::Number(1.5)));
        assert_eq!(entry(&node, "g").node.raw, Raw::Text("10".to_owned()));
        assert_eq!(entry(&node, "h").node.raw, Raw::Text("~/x".to_owned()));
        assert_eq!(entry(&node, "i").node.raw, Raw::Null);
        assert_eq!(entry(&node, "j").node.raw, Raw::Bool(true));
    }

    #[test]
    fn an_empty_file_is_nothing() {
        for text in ["", "\n", "# only words\n", "---\n"] {
            assert_eq!(parse(text).unwrap().raw, Raw::Null, "{text:?}");
        }
    }

    #[test]
    fn repeated_keys_are_kept_and_bad_yaml_has_a_line() {
        let Raw::Map(entries) = parse("a: 1\nb: 2\na: 3\n").unwrap().raw else { panic!() };
        assert_eq!(
            entries.iter().map(|e| (e.key.as_str(), e.line)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("a", 3)]
        );
        let error = parse("a: 1\nb: [1,\nc: }\n").unwrap_err();
        assert!(error.line >= 2, "{error:?}");
        assert!(parse("a: 1\n---\nb: 2\n").is_err(), "one document only");
    }
}
