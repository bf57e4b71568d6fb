//! Reads the YAML that records mostly consist of, line by line: `key: value`, with maps below that are indented by two
//! spaces. A daemon reads a record for each run when it starts, and the YAML parser takes most of that time.
//!
//! It reads nothing that YAML could read in another way. For anything else (a list, a comment, an escape, a text of several
//! lines, a value of an unexpected type) it returns `None`, and the caller asks the YAML parser.

use std::fmt;

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
        value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};

/// Number of spaces by which a map below another one is indented.
const INDENT: usize = 2;

/// Parses a record; `None` if only the YAML parser can tell what it means.
#[must_use]
pub fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    let mut lines = Lines { rest: text };
    let record = T::deserialize(Node::Map(&mut lines, 0)).ok()?;
    lines.rest.is_empty().then_some(record)
}

/// The text is left to the YAML parser, which also finds the words for an error.
#[derive(Debug)]
struct Unclear;

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a plain record")
    }
}

impl std::error::Error for Unclear {}

impl de::Error for Unclear {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The lines that were not read yet.
struct Lines<'de> {
    rest: &'de str,
}

impl<'de> Lines<'de> {
    /// Returns the indent of the next line; `None` at the end.
    fn indent(&self) -> Option<usize> {
        (!self.rest.is_empty()).then(|| self.rest.bytes().take_while(|byte| *byte == b' ').count())
    }

    /// Takes the next line, without its end.
    fn next(&mut self) -> Result<&'de str, Unclear> {
        let (line, rest) = self.rest.split_once('\n').ok_or(Unclear)?;
        self.rest = rest;
        Ok(line)
    }
}

/// A value.
enum Node<'a, 'de> {
    Scalar(Scalar<'de>),
    /// The map of the next lines with this indent.
    Map(&'a mut Lines<'de>, usize),
}

/// A value on the line of its key.
#[derive(Clone, Copy)]
struct Scalar<'de> {
    text: &'de str,
    is_quoted: bool,
}

impl<'de> Scalar<'de> {
    fn new(text: &'de str) -> Result<Self, Unclear> {
        if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Unclear);
        }
        if let Some(quoted) = text.strip_prefix('"') {
            let text = quoted.strip_suffix('"').ok_or(Unclear)?;
            // An escape, or a quotation mark that ends the text earlier.
            let is_simple = !text.bytes().any(|byte| matches!(byte, b'"' | b'\\'));
            return is_simple.then_some(Self { text, is_quoted: true }).ok_or(Unclear);
        }
        let begins =
            text.as_bytes().first().is_some_and(|first| first.is_ascii_alphanumeric() || *first == b'/');
        let is_one_text = !text.ends_with([' ', ':']) && !text.contains(": ") && !text.contains(" #");
        let is_null = text.eq_ignore_ascii_case("null");
        let is_plain = begins && is_one_text && !is_null;
        is_plain.then_some(Self { text, is_quoted: false }).ok_or(Unclear)
    }

    /// Returns the text of a whole number in its usual spelling.
    fn digits(self) -> Result<&'de str, Unclear> {
        let is_number = self.text.bytes().all(|byte| byte.is_ascii_digit());
        let is_usual = !self.text.starts_with('0') || self.text == "0";
        (is_number && is_usual && !self.is_quoted).then_some(self.text).ok_or(Unclear)
    }

    /// Returns true if a plain text is no number, truth value or date in any version of YAML.
    fn is_surely_text(self) -> bool {
        const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
        self.is_quoted
            || !self.text.starts_with(|first: char| first.is_ascii_digit())
                && !WORDS.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }
}

/// Reads a whole number of one type.
macro_rules! whole_numbers {
    ($($method:ident $visit:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
            visitor.$visit(self.scalar()?.digits()?.parse().map_err(|_| Unclear)?)
        })*
    };
}

impl<'de> Node<'_, 'de> {
    fn scalar(&self) -> Result<Scalar<'de>, Unclear> {
        match self {
            Self::Scalar(scalar) => Ok(*scalar),
            Self::Map(..) => Err(Unclear),
        }
    }
}

impl<'de> Deserializer<'de> for Node<'_, 'de> {
    type Error = Unclear;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        match self {
            Self::Map(lines, indent) => visitor.visit_map(Entries { lines, indent, keys: Vec::new() }),
            Self::Scalar(scalar) if scalar.is_surely_text() => visitor.visit_borrowed_str(scalar.text),
            Self::Scalar(scalar) => match scalar.text {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => visitor.visit_u64(scalar.digits()?.parse().map_err(|_| Unclear)?),
            },
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        visitor.visit_borrowed_str(self.scalar()?.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        match self.scalar()? {
            Scalar { text: "true", is_quoted: false } => visitor.visit_bool(true),
            Scalar { text: "false", is_quoted: false } => visitor.visit_bool(false),
            Scalar { .. } => Err(Unclear),
        }
    }

    whole_numbers! {
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        let scalar = self.scalar()?;
        let is_number = scalar.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 = scalar.text.parse().map_err(|_| Unclear)?;
        if scalar.is_quoted || !is_number || !number.is_finite() {
            return Err(Unclear);
        }
        visitor.visit_f64(number)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unclear> {
        // The YAML parser gives such types more than a value, a position for example.
        if name.starts_with("__yaml") {
            return Err(Unclear);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        match self {
            Self::Map(..) => self.deserialize_any(visitor),
            Self::Scalar(_) => Err(Unclear),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unclear> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unclear> {
        let word: BorrowedStrDeserializer<'_, Unclear> = BorrowedStrDeserializer::new(self.scalar()?.text);
        visitor.visit_enum(word)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unclear> {
        match self {
            Self::Map(..) => self.deserialize_any(visitor),
            Self::Scalar(_) => visitor.visit_unit(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_char<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _visitor: V,
    ) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        _visitor: V,
    ) -> Result<V::Value, Unclear> {
        Err(Unclear)
    }

    forward_to_deserialize_any! { i128 u128 identifier }
}

/// The entries of one map.
struct Entries<'a, 'de> {
    lines: &'a mut Lines<'de>,
    indent: usize,
    /// The keys so far: a key that appears twice is an error, which the YAML parser words.
    keys: Vec<&'de str>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Unclear;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unclear> {
        match self.lines.indent() {
            Some(indent) if indent > self.indent => return Err(Unclear),
            Some(indent) if indent == self.indent => {}
            // The end of the record, or a line of a map above.
            _ if self.keys.is_empty() => return Err(Unclear),
            _ => return Ok(None),
        }
        let line = &self.lines.rest[self.indent..];
        let end = line.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
        let key = &line[..end.ok_or(Unclear)?];
        let begins = key.starts_with(|first: char| first.is_ascii_alphabetic());
        if !begins || key.eq_ignore_ascii_case("null") || self.keys.contains(&key) {
            return Err(Unclear);
        }
        self.keys.push(key);
        let key: BorrowedStrDeserializer<'_, Unclear> = BorrowedStrDeserializer::new(key);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unclear> {
        let key = self.keys.last().ok_or(Unclear)?;
        let line = self.lines.next()?;
        let value = line[self.indent + key.len()..].strip_prefix(':').ok_or(Unclear)?;
        if value.is_empty() {
            let below = self.indent + INDENT;
            return seed.deserialize(Node::Map(self.lines, below));
        }
        let text = value.strip_prefix(' ').ok_or(Unclear)?;
        seed.deserialize(Node::Scalar(Scalar::new(text)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Sample {
        name: String,
        #[serde(default)]
        word: Option<Word>,
        #[serde(default)]
        number: Option<u64>,
        #[serde(default)]
        small: Option<i32>,
        #[serde(default)]
        money: Option<f64>,
        #[serde(default)]
        is_set: bool,
        #[serde(default)]
        below: Option<Below>,
        #[serde(default)]
        list: Vec<String>,
        #[serde(flatten)]
        extra: BTreeMap<String, Value>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        One,
        Two,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Below {
        text: Option<String>,
        deeper: Option<BTreeMap<String, u64>>,
    }

    fn by_yaml(text: &str) -> Option<Sample> {
        serde_yaml::from_str(text).ok()
    }

    /// Checks that the line reader agrees with the YAML parser, or leaves the text to it.
    fn check(text: &str) -> Result<(), TestCaseError> {
        if let Some(read) = parse::<Sample>(text) {
            let expected = by_yaml(text);
            prop_assert_eq!(Some(&read), expected.as_ref(), "{}", text);
        }
        Ok(())
    }

    #[test]
    fn plain_records_are_read_here() {
        let text = concat!(
            "name: /usr/bin/sh -c echo \"a\"; exit 3\nword: two\nnumber: 12\nsmall: 0\nmoney: 0.1024\nis_set: true\n",
            "below:\n  text: \"2026-11-22T04:57:24.036386281Z\"\n  deeper:\n    a: 1\n    b: 2\n",
            "other: a/b\nmore:\n  a: b\n  c: 3\nlast: true\n",
        );
        let read = parse::<Sample>(text);
        assert!(read.is_some());
        assert_eq!(read, by_yaml(text));
    }

    #[test]
    fn all_else_is_left_to_the_yaml_parser() {
        for rest in [
            "number: 012",
            "number: 0x1f",
            "number: 1_000",
            "number: \"5\"",
            "number: -1",
            "number: +1",
            "number: 5.0",
            "number: ~",
            "number: null",
            "number:",
            "word: Null",
            "word: three",
            "money: .5",
            "money: 1e3",
            "money: .inf",
            "is_set: yes",
            "is_set: \"true\"",
            "list: []",
            "list:\n  - a",
            "list:\n- a",
            "other: ~",
            "other: 0b1",
            "other: 12:30:00",
            "other: 2026-01-01",
            "other: 1.5",
            "other: *a",
            "other: &a b",
            "other: !!str 5",
            "other: 'a'",
            "other: \"a\\n\"",
            "other: \"a\" b",
            "other: a # b",
            "other: a: b",
            "other: a:",
            "other: |\n  a",
            "other: a\n  b",
            "other: {a: 1}",
            "other: [1]",
            "other:  a",
            "other: a ",
            "other: \u{e9}",
            "other: a\tb",
            "other : a",
            "other:a",
            "name: b",
            "\"other\": a",
            "? other",
            "# comment",
            "",
            "---",
            "...",
            "<<: a",
            "null: a",
            "other: a\r",
            "below:\n    text: a",
            "below:\n   text: a",
            "below:\n  text: a\n    deeper: b",
            "below: a",
            " other: a",
            "- a",
        ] {
            let text = format!("name: a\n{rest}\n");
            assert_eq!(parse::<Sample>(&text), None, "{text}");
        }
        assert_eq!(parse::<Sample>("name: a"), None, "the line may be unfinished");
        assert_eq!(parse::<Sample>(""), None);
        assert_eq!(parse::<Sample>("word: one\n"), None, "a field is missing");
    }

    /// Values as people and other programs write them, and many that only look like values.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,12}",
            "[0-9a-fxob+_.:eE-]{1,8}",
            "(true|false|True|yes|No|on|off|y|n|null|~|nan|inf|one|two|0|7|00|1\\.50)",
            "\"[ -~\u{e9}\n]{0,6}\"",
            "'[ -~]{0,6}'",
            "[\\[{|>!&*%@`#?,-][ -~]{0,5}",
            "\n  (a|text|deeper): [ -~]{0,6}",
            "\n  deeper:\n    [a-c]: [0-9]{1,3}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_means_what_yaml_means(
            lines in proptest::collection::vec(
                ("(name|word|number|small|money|is_set|below|list|other|y|x_1|[ -~]{1,3})", "(: ?|:  | : )", value()),
                0..5,
            ),
            end in "(\n|\n\n|)",
        ) {
            let lines: Vec<String> = lines.iter().map(|(key, colon, value)| format!("{key}{colon}{value}")).collect();
            check(&format!("name: a\n{}{end}", lines.join("\n")))?;
            check(&format!("{}{end}", lines.join("\n")))?;
        }

        #[test]
        fn a_written_record_is_read_back(
            name in "\\PC{0,20}",
            word in proptest::option::of(prop_oneof![Just(Word::One), Just(Word::Two)]),
            numbers in any::<(Option<u64>, Option<i32>, Option<f64>, bool)>(),
            text in proptest::option::of("(\\PC|\n|\t){0,30}"),
            list in proptest::collection::vec("[ -~]{0,5}", 0..3),
            other in proptest::option::of("[ -~]{0,8}"),
        ) {
            let (number, small, money, is_set) = numbers;
            let money = money.filter(|money| money.is_finite());
            let extra = other.map(|other| ("other".to_owned(), Value::String(other))).into_iter().collect();
            let below = text.map(|text| Below { text: Some(text), deeper: None });
            let sample = Sample { name, word, number, small, money, is_set, below, list, extra };
            let text = serde_yaml::to_string(&sample).unwrap();
            check(&text)?;
        }
    }
}
