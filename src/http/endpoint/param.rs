//! Parameters of paths, queries and headers: their names, and how their texts are understood.

use schemars::JsonSchema;

use super::answer::{SchemaOf, schema_of};

/// A parameter of an endpoint. Read through this, so that what is documented is what is understood.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Param {
    /// What clients call it.
    pub(in crate::http) name: &'static str,
    /// What it is for; a sentence without its full stop.
    pub(in crate::http) about: &'static str,
    /// What it holds.
    pub(in crate::http) kind: Kind,
    /// Where it stands.
    pub(in crate::http) place: Place,
    /// Whether a request must have it.
    pub(in crate::http) required: bool,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Place {
    Path,
    Query,
    Header,
}

/// What a parameter holds.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum Kind {
    /// A text of a type.
    Text(SchemaOf),
    /// A text of a pattern.
    Pattern(&'static str),
    /// Some of these words, with commas between.
    Words(&'static [&'static str]),
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// A whole number within a range.
    Number { least: usize, most: usize },
    /// Yes or no.
    Flag,
    /// A time of RFC 3339.
    Time,
}

impl Param {
    const fn of(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, about, kind, place: Place::Query, required: false }
    }

    /// The same, but that a request must have it.
    pub(in crate::http) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same in the headers.
    pub(super) const fn in_header(self) -> Self {
        Self { place: Place::Header, ..self }
    }

    /// The same in the path.
    pub(super) const fn in_path(self) -> Self {
        Self { place: Place::Path, required: true, ..self }
    }
}

/// A text of a type.
pub(in crate::http) const fn text<T: JsonSchema>(name: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Text(schema_of::<T>), about)
}

/// A text of a pattern: an opaque one of ours.
pub(in crate::http) const fn opaque(name: &'static str, pattern: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Pattern(pattern), about)
}

/// Some of these words, with commas between.
pub(in crate::http) const fn words(
    name: &'static str,
    words: &'static [&'static str],
    about: &'static str,
) -> Param {
    Param::of(name, Kind::Words(words), about)
}

/// One of some words; the first one is meant where none is given.
pub(in crate::http) const fn one_of(
    name: &'static str,
    words: &'static [&'static str],
    about: &'static str,
) -> Param {
    Param::of(name, Kind::OneOf(words), about)
}

/// A whole number from `least` to `most`.
pub(in crate::http) const fn number(
    name: &'static str,
    least: usize,
    most: usize,
    about: &'static str,
) -> Param {
    Param::of(name, Kind::Number { least, most }, about)
}

/// Yes or no; its name alone is a yes.
pub(in crate::http) const fn flag(name: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Flag, about)
}

/// A time.
pub(in crate::http) const fn time(name: &'static str, about: &'static str) -> Param {
    Param::of(name, Kind::Time, about)
}
