//! Parameters of paths, queries and headers: their names, and the meaning of their texts.

use schemars::JsonSchema;

use super::reply::{SchemaOf, schema_of};

/// The header that every endpoint with a stream understands: the cursor at which a disconnected client continues.
pub const LAST_EVENT_ID: Param =
    text::<String>("Last-Event-ID", "The id of the last received event: the stream continues after it")
        .in_header();

/// A parameter of an endpoint. Endpoints read it through this declaration, so that the document is correct.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its purpose: a sentence without its full stop.
    pub about: &'static str,
    /// Its values.
    pub kind: Kind,
    /// Its location in a request.
    pub location: Location,
    /// True if a request must have it.
    pub required: bool,
}

/// The location of a parameter in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A segment of the path.
    Path,
    /// The query.
    Query,
    /// A header.
    Header,
}

/// The values of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text of a type.
    Text(SchemaOf),
    /// A text of a pattern.
    Pattern(&'static str),
    /// Some of these words, with commas between.
    Words(&'static [&'static str]),
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// A whole number within a range.
    Number {
        /// The smallest one.
        least: usize,
        /// The largest one.
        most: usize,
    },
    /// Yes or no.
    Flag,
    /// A time of RFC 3339.
    Time,
}

impl Param {
    const fn of(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, about, kind, location: Location::Query, required: false }
    }

    /// Makes the parameter required.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Moves the parameter to the headers.
    #[must_use]
    pub const fn in_header(self) -> Self {
        Self { location: Location::Header, ..self }
    }

    /// Moves the parameter to the path.
    #[must_use]
    pub const fn in_path(self) -> Self {
        Self { location: Location::Path, required: true, ..self }
    }
}

/// A text of a type.
#[must_use]
pub const fn text<T: JsonSchema>(name: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Text(schema_of::<T>), about)
}

/// A text of a pattern, opaque to clients.
#[must_use]
pub const fn opaque(name: &'static str, pattern: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Pattern(pattern), about)
}

/// Some of these words, with commas between.
#[must_use]
pub const fn words(name: &'static str, words: &'static [&'static str], about: &'static str) -> Param {
    Param::of(name, Kind::Words(words), about)
}

/// One of some words; the first one is the default.
#[must_use]
pub const fn one_of(name: &'static str, words: &'static [&'static str], about: &'static str) -> Param {
    Param::of(name, Kind::OneOf(words), about)
}

/// A whole number from `least` to `most`.
#[must_use]
pub const fn number(name: &'static str, least: usize, most: usize, about: &'static str) -> Param {
    Param::of(name, Kind::Number { least, most }, about)
}

/// Yes or no; the name alone is a yes.
#[must_use]
pub const fn flag(name: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Flag, about)
}

/// A time.
#[must_use]
pub const fn time(name: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Time, about)
}
