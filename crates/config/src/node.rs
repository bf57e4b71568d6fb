//! Configuration files in their raw form: YAML values, each with its file and line.
//!
//! Repeated keys are kept, so that the error can name both lines. [`super::section`] interprets the keys.

use std::{fmt, path::Path, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_yaml::{DuplicateKeyPolicy, Options, Spanned};

use super::{
    error::{ConfigError, Problem, ProblemKind},
    origin::Origin,
};

/// Position of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// Number of the file, among the files that are read together.
    pub file: usize,
    /// Line, counted from 1; 0 if the value is in no file.
    pub line: u64,
}

impl Position {
    /// Creates the position of a line in the first file.
    pub fn line(line: u64) -> Self {
        Self { file: 0, line }
    }
}

/// A value with its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub at: Position,
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
    /// Text of a flag or variable, which may also represent a number or a Boolean.
    Untyped(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub at: Position,
    pub node: Node,
}

/// The reason why a text is not YAML.
#[derive(Debug)]
pub(super) struct Syntax {
    /// Line, counted from 1; 0 if the parser does not know.
    pub line: u64,
    /// The parser's message.
    pub problem: String,
}

/// Parses the text of a file. An empty file gives [`Raw::Null`].
pub(super) fn parse(text: &str) -> Result<Node, Syntax> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    let parsed: Option<Spanned<Raw>> = serde_yaml::from_str_with_options(text, options).map_err(|e| {
        let line = e.location().map_or(0, |l| l.line());
        let problem = match e.without_snippet() {
            serde_yaml::Error::MultipleDocuments { .. } => "a second document begins here".to_owned(),
            // The position precedes the message already.
            other => other.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        };
        Syntax { line, problem }
    })?;
    Ok(parsed.map_or(Node::nothing(), Node::from))
}

impl Node {
    /// Returns the value of an empty file.
    pub fn nothing() -> Self {
        Self { at: Position::default(), raw: Raw::Null }
    }

    /// Parses the content of a file.
    pub fn of_file(path: &Arc<Path>, bytes: &[u8]) -> Result<Self, ConfigError> {
        let wrong = |line, problem| {
            let origin = Origin::File(path.clone(), line);
            ConfigError::Invalid(vec![Problem { origin, what: ProblemKind::Syntax(problem) }])
        };
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let lines = bytes[..e.valid_up_to()].split(|b| *b == b'\n').count();
            wrong(lines as u64, "it is not UTF-8 text".to_owned())
        })?;
        parse(text).map_err(|syntax| wrong(syntax.line, syntax.problem))
    }

    /// Creates a value from the text of a flag or variable.
    pub fn untyped(text: &str) -> Self {
        Self { at: Position::default(), raw: Raw::Untyped(text.to_owned()) }
    }

    /// Marks the value, and all values in it, as content of the file with this number.
    pub fn of_number(mut self, file: usize) -> Self {
        self.at.file = file;
        match &mut self.raw {
            Raw::List(items) => {
                for item in items {
                    *item = std::mem::replace(item, Self::nothing()).of_number(file);
                }
            }
            Raw::Map(entries) => {
                for entry in entries {
                    entry.at.file = file;
                    entry.node = std::mem::replace(&mut entry.node, Self::nothing()).of_number(file);
                }
            }
            _ => {}
        }
        self
    }

    /// Merges `over` into this value: sections key by key, everything else as a whole. An empty value in `over` changes
    /// nothing.
    pub fn under(self, over: Self) -> Self {
        match (self, over) {
            (under, Self { raw: Raw::Null, .. }) => under,
            (Self { at, raw: Raw::Map(mut entries) }, Self { raw: Raw::Map(over), .. }) => {
                let mut seen = Vec::new();
                for new in over {
                    match entries.iter_mut().find(|entry| entry.key == new.key) {
                        // A key that appears twice in one file is kept twice, so that it is reported.
                        Some(entry) if !seen.contains(&new.key) => {
                            seen.push(new.key.clone());
                            entry.lay_over(new);
                        }
                        _ => {
                            seen.push(new.key.clone());
                            entries.push(new);
                        }
                    }
                }
                Self { at, raw: Raw::Map(entries) }
            }
            (_, over) => over,
        }
    }

    /// Creates a value that is in no file.
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
                    at: Position::default(),
                    node: Self::from_json(value),
                };
                Raw::Map(map.iter().map(entry).collect())
            }
        };
        Self { at: Position::default(), raw }
    }

    /// Returns true if the value is from a task's map of JSON values: neither in a file nor the text of a flag
    /// or variable.
    pub fn is_of_task(&self) -> bool {
        self.at.line == 0 && !matches!(self.raw, Raw::Untyped(_))
    }

    /// Describes the value for a message.
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

    /// Describes the kind of value, for a message that must not show the value itself.
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

impl Entry {
    /// Merges the same key of another file into this entry.
    fn lay_over(&mut self, over: Self) {
        let sections = matches!((&self.node.raw, &over.node.raw), (Raw::Map(_), Raw::Map(_)));
        if !sections && over.node.raw != Raw::Null {
            self.at = over.at;
        }
        self.node = std::mem::replace(&mut self.node, Node::nothing()).under(over.node);
    }
}

impl From<Spanned<Raw>> for Node {
    fn from(spanned: Spanned<Raw>) -> Self {
        Self { at: Position::line(spanned.referenced.line()), raw: spanned.value }
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
        #[expect(clippy::cast_precision_loss, reason = "a number beyond i64 is only quoted in an error")]
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
            let at = Position::line(key.referenced.line());
            entries.push(Entry { key: key.value, at, node: node.into() });
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Node {
        /// Returns the value without its positions.
        fn to_json(&self) -> Value {
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
    }

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
        assert_eq!(a.at.line, 2);
        assert_eq!(
            entry(&a.node, "b").node,
            Node { at: Position::line(3), raw: Raw::Text("10s".to_owned()) }
        );
        let Raw::List(list) = &entry(&a.node, "c").node.raw else { panic!() };
        assert_eq!(list[1], Node { at: Position::line(4), raw: Raw::Whole(2) });
        let f = entry(&entry(&node, "d").node, "f");
        assert_eq!((f.at.line, &f.node.raw), (6, &Raw::Number(1.5)));
        assert_eq!(entry(&node, "g").node.raw, Raw::Text("10".to_owned()));
        assert_eq!(entry(&node, "h").node.raw, Raw::Text("~/x".to_owned()));
        assert_eq!(entry(&node, "i").node.raw, Raw::Null);
        assert_eq!(entry(&node, "j").node.raw, Raw::Bool(true));
    }

    #[test]
    fn one_file_is_laid_over_another_key_by_key() {
        let under = parse("a: 1\nb: {c: 2, d: 3}\nl: [1, 2]\nx: 1\n").unwrap();
        let over = parse("b:\n  c: 5\n  e: 6\nl: [7]\nx:\nn: 8\n").unwrap().of_number(1);
        let both = under.under(over);
        assert_eq!(
            both.to_json(),
            serde_json::json!({"a": 1, "b": {"c": 5, "d": 3, "e": 6}, "l": [7], "x": 1, "n": 8})
        );
        let at = |entry: &Entry| (entry.at.file, entry.at.line);
        let b = entry(&both, "b");
        assert_eq!(at(entry(&both, "a")), (0, 1));
        assert_eq!((at(entry(&b.node, "c")), at(entry(&b.node, "d"))), ((1, 2), (0, 2)));
        assert_eq!(
            (at(entry(&both, "l")), at(entry(&both, "x")), at(entry(&both, "n"))),
            ((1, 4), (0, 4), (1, 6))
        );
        let twice = parse("a: 1\n").unwrap().under(parse("a: 2\na: 3\n").unwrap().of_number(1));
        let Raw::Map(entries) = twice.raw else { panic!() };
        assert_eq!(entries.len(), 2, "told, not lost: {entries:?}");
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
            entries.iter().map(|e| (e.key.as_str(), e.at.line)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("a", 3)]
        );
        let error = parse("a: 1\nb: [1,\nc: }\n").unwrap_err();
        assert!(error.line >= 2, "{error:?}");
        assert!(parse("a: 1\n---\nb: 2\n").is_err(), "one document only");
    }
}
