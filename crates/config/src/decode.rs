//! Converts a raw value into the type of its setting, and back for `config show`.

use std::{num::NonZeroU32, time::Duration};

use serde_json::Value;

use super::{
    node::{Node, Raw},
    units::{self, BadDuration},
    words::Word,
};
use base::{fsx::Durability, secret::Secret, telemetry::REDACTED};

/// The reason why a value is rejected.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    /// The value has the wrong type.
    Type,
    /// The value has the right type but an invalid content; with the problem, which fits after the key.
    Value(String),
    /// The value is a duration without a unit; with the number.
    NoUnit(String),
}

/// A type of settings.
pub(super) trait Decode: Sized {
    /// True if the value must not be shown.
    const SECRET: bool = false;
    /// Describes the accepted values, with an example if the form is not obvious.
    fn expected() -> String;
    /// Parses the value. Never called with [`Raw::Null`], which counts as absent.
    fn decode(node: &Node) -> Result<Self, Refused>;
    /// Returns the value in the spelling of the file.
    fn show(&self) -> Value;
}

impl Decode for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        match &node.raw {
            Raw::Bool(b) => Ok(*b),
            Raw::Untyped(s) => match s.to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" => Ok(false),
                _ => Err(Refused::Type),
            },
            _ => Err(Refused::Type),
        }
    }
    fn show(&self) -> Value {
        Value::from(*self)
    }
}

impl Decode for String {
    fn expected() -> String {
        "text".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        match &node.raw {
            Raw::Text(s) | Raw::Untyped(s) => Ok(s.clone()),
            Raw::Whole(_) | Raw::Number(_) => Err(Refused::Value("is a number; put it in quotes".to_owned())),
            _ => Err(Refused::Type),
        }
    }
    fn show(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Decode for u64 {
    fn expected() -> String {
        "a whole number from 0".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        match &node.raw {
            Raw::Whole(n) => u64::try_from(*n).map_err(|_| Refused::Type),
            Raw::Untyped(s) => s.parse().map_err(|_| Refused::Type),
            _ => Err(Refused::Type),
        }
    }
    fn show(&self) -> Value {
        Value::from(*self)
    }
}

macro_rules! smaller_whole_number {
    ($($int:ty)*) => { $(
        impl Decode for $int {
            fn expected() -> String {
                format!("a whole number from 0 to {}", <$int>::MAX)
            }
            fn decode(node: &Node) -> Result<Self, Refused> {
                <$int>::try_from(u64::decode(node)?).map_err(|_| Refused::Type)
            }
            fn show(&self) -> Value {
                Value::from(*self)
            }
        }
    )* };
}
smaller_whole_number!(u16 u32);

impl Decode for f64 {
    fn expected() -> String {
        "a number from 0".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        let number = match &node.raw {
            #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53")]
            Raw::Whole(n) => *n as Self,
            Raw::Number(n) => *n,
            Raw::Untyped(s) => s.parse().map_err(|_| Refused::Type)?,
            _ => return Err(Refused::Type),
        };
        if number.is_finite() && number >= 0.0 { Ok(number) } else { Err(Refused::Type) }
    }
    fn show(&self) -> Value {
        Value::from(*self)
    }
}

/// Converts a number in a task's map, where JSON has no units.
fn seconds(number: f64) -> Result<Duration, Refused> {
    Duration::try_from_secs_f64(number).map_err(|_| Refused::Type)
}

impl Decode for Duration {
    fn expected() -> String {
        "a duration (10s, 5m, 1h30m, 7d)".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        match &node.raw {
            Raw::Text(s) | Raw::Untyped(s) => units::duration(s).or_else(|e| match e {
                // A task of an earlier version may contain the text of a flag.
                BadDuration::NoUnit(n) if node.is_of_task() => seconds(n.parse().unwrap_or(f64::NAN)),
                BadDuration::NoUnit(n) => Err(Refused::NoUnit(n)),
                BadDuration::Malformed => Err(Refused::Type),
            }),
            Raw::Whole(0) => Ok(Self::ZERO),
            Raw::Whole(n) if node.is_of_task() => {
                u64::try_from(*n).map(Self::from_secs).map_err(|_| Refused::Type)
            }
            Raw::Number(n) if node.is_of_task() => seconds(*n),
            Raw::Whole(n) if *n > 0 => Err(Refused::NoUnit(n.to_string())),
            _ => Err(Refused::Type),
        }
    }
    fn show(&self) -> Value {
        Value::from(units::spell_duration(*self))
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub u64);

impl Decode for Size {
    fn expected() -> String {
        "a size (1MiB, 500KB, or a number of bytes)".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        match &node.raw {
            Raw::Text(s) | Raw::Untyped(s) => units::size(s).map(Self).ok_or(Refused::Type),
            _ => u64::decode(node).map(Self),
        }
    }
    fn show(&self) -> Value {
        Value::from(units::spell_size(self.0))
    }
}

impl Decode for Durability {
    fn expected() -> String {
        "always or never".to_owned()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        match String::decode(node)?.as_str() {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(Refused::Type),
        }
    }
    fn show(&self) -> Value {
        Value::from(match self {
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

impl Decode for Secret {
    const SECRET: bool = true;
    fn expected() -> String {
        String::expected()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        String::decode(node).map(Self::new)
    }
    fn show(&self) -> Value {
        Value::from(REDACTED)
    }
}

/// The words as a sentence has them: "a, b or c".
pub(super) fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

impl<W: Word + PartialEq> Decode for W {
    fn expected() -> String {
        one_of(W::WORDS.iter().map(|(word, _)| *word))
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        let (Raw::Text(text) | Raw::Untyped(text)) = &node.raw else { return Err(Refused::Type) };
        W::WORDS.iter().find(|(word, _)| word == text).map(|(_, value)| *value).ok_or(Refused::Type)
    }
    fn show(&self) -> Value {
        Value::from(W::WORDS.iter().find(|(_, value)| value == self).map_or("", |(word, _)| *word))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn expected() -> String {
        format!("a list of {}", T::expected())
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        let Raw::List(list) = &node.raw else { return Err(Refused::Type) };
        let item = |(at, node): (usize, &Node)| {
            T::decode(node).map_err(|refused| match refused {
                Refused::Type => Refused::Value(format!(
                    "takes {}; item {} is {}",
                    Self::expected(),
                    at + 1,
                    node.describe()
                )),
                Refused::Value(problem) => Refused::Value(format!("has an item {} that {problem}", at + 1)),
                no_unit @ Refused::NoUnit(_) => no_unit,
            })
        };
        list.iter().enumerate().map(item).collect()
    }
    fn show(&self) -> Value {
        self.iter().map(T::show).collect()
    }
}

/// A type with one value in the file that means "none": `0`, or the empty text.
pub(super) trait Absent: Decode {
    /// Returns true if this is that value.
    fn is_absent(&self) -> bool;
    /// Returns that value in the spelling of the file.
    fn absent() -> Value {
        Value::from(0)
    }
}

impl Absent for Duration {
    fn is_absent(&self) -> bool {
        self.is_zero()
    }
}
impl Absent for u32 {
    fn is_absent(&self) -> bool {
        *self == 0
    }
}
impl Absent for u64 {
    fn is_absent(&self) -> bool {
        *self == 0
    }
}
impl Absent for f64 {
    fn is_absent(&self) -> bool {
        *self <= 0.0
    }
}
impl Absent for String {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
    fn absent() -> Value {
        Value::from("")
    }
}
impl Absent for Secret {
    fn is_absent(&self) -> bool {
        self.expose().is_empty()
    }
    fn absent() -> Value {
        Value::from("")
    }
}

impl<T: Absent> Decode for Option<T> {
    const SECRET: bool = T::SECRET;
    fn expected() -> String {
        T::expected()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        T::decode(node).map(|value| (!value.is_absent()).then_some(value))
    }
    fn show(&self) -> Value {
        self.as_ref().map_or_else(T::absent, T::show)
    }
}

impl Decode for Option<NonZeroU32> {
    fn expected() -> String {
        u32::expected()
    }
    fn decode(node: &Node) -> Result<Self, Refused> {
        u32::decode(node).map(NonZeroU32::new)
    }
    fn show(&self) -> Value {
        Value::from(self.map_or(0, NonZeroU32::get))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agent::PromptDelivery, node::Position};

    fn decode<T: Decode>(raw: Raw) -> Option<T> {
        T::decode(&Node { at: Position::line(1), raw }).ok()
    }

    #[test]
    fn numbers_have_ranges() {
        assert_eq!(decode::<u16>(Raw::Whole(65535)), Some(65535));
        assert_eq!(decode::<u16>(Raw::Whole(65536)), None);
        assert_eq!(decode::<u64>(Raw::Whole(-1)), None);
        assert_eq!(decode::<u32>(Raw::Text("5".to_owned())), None, "a quoted number is text");
        assert_eq!(decode::<u32>(Raw::Untyped("5".to_owned())), Some(5), "a variable has no quotes");
        for bad in [-0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(decode::<f64>(Raw::Number(bad)), None, "{bad}");
        }
    }

    #[test]
    fn a_duration_needs_a_unit_but_in_the_map_of_a_task() {
        let text = |text: &str| Raw::Text(text.to_owned());
        for (raw, in_file, of_task) in [
            (text("5m"), Ok(300.0), Ok(300.0)),
            (text("10x"), Err(Refused::Type), Err(Refused::Type)),
            (text("300"), Err(Refused::NoUnit("300".to_owned())), Ok(300.0)),
            (Raw::Whole(300), Err(Refused::NoUnit("300".to_owned())), Ok(300.0)),
            (Raw::Whole(0), Ok(0.0), Ok(0.0)),
            (Raw::Number(0.5), Err(Refused::Type), Ok(0.5)),
            (Raw::Whole(-1), Err(Refused::Type), Err(Refused::Type)),
            (
                Raw::Untyped("300".to_owned()),
                Err(Refused::NoUnit("300".to_owned())),
                Err(Refused::NoUnit("300".to_owned())),
            ),
        ] {
            for (line, expected) in [(1, in_file), (0, of_task)] {
                let node = Node { at: Position::line(line), raw: raw.clone() };
                assert_eq!(Duration::decode(&node).map(|d| d.as_secs_f64()), expected, "{node:?}");
            }
        }
    }

    #[test]
    fn zero_and_the_empty_text_mean_none() {
        assert_eq!(decode::<Option<Duration>>(Raw::Whole(0)), Some(None));
        assert_eq!(decode::<Option<Duration>>(Raw::Text("0s".to_owned())), Some(None));
        assert_eq!(decode::<Option<String>>(Raw::Text(String::new())), Some(None));
        assert_eq!(decode::<Option<NonZeroU32>>(Raw::Whole(0)), Some(None));
        assert_eq!(None::<Duration>.show(), Value::from(0));
        assert_eq!(None::<Secret>.show(), Value::from(""));
        assert_eq!(Some(Secret::new("s")).show(), Value::from(REDACTED));
    }

    #[test]
    fn words_say_which_there_are() {
        assert_eq!(decode(Raw::Text("file".to_owned())), Some(PromptDelivery::File));
        assert_eq!(decode::<PromptDelivery>(Raw::Text("File".to_owned())), None);
        assert_eq!(PromptDelivery::expected(), "stdin, file or arg");
        assert_eq!(PromptDelivery::File.show(), Value::from("file"));
    }
}
