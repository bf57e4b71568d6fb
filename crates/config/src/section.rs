//! Reads a configuration key by key. Each read states the key, its type and its default, so that unknown keys, origins
//! and `config show` need no second list.
//!
//! Nothing stops at the first problem. A wrong value is recorded, its default is used instead, and [`Reader::finish`]
//! returns all problems at once.

use std::{collections::BTreeMap, path::Path, path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{
    decode::{Decode, Refused, one_of},
    environment::Environment,
    error::{ConfigError, Problem, ProblemKind},
    node::{Entry, Node, Position, Raw},
    origin::Origin,
};

/// One decided value, for `config show`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key with its sections: `defaults.timeout`.
    pub key: String,
    /// The value in the spelling of the file; secrets redacted.
    pub value: Value,
    /// Origin of the value.
    pub origin: Origin,
}

/// The sources of the values beside the file.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// The files, in the order of their numbers; empty: the values are in a task's map.
    pub files: Vec<Arc<Path>>,
    /// Values that override the file, by key.
    pub overrides: BTreeMap<&'static str, (String, Origin)>,
    /// Used for `~`, and for variables with names that depend on the content of the file.
    pub environment: &'a Environment,
    /// Base of relative paths in flags and variables.
    pub cwd: &'a Path,
}

/// Collects the decided values and the problems.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub sources: Sources<'a>,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
    known: Vec<String>,
    unknown: Vec<(String, Origin)>,
}

/// The keys of one section that have not been read yet.
#[derive(Debug)]
pub(super) struct Section<'r, 'a> {
    pub reader: &'r mut Reader<'a>,
    path: String,
    at: Position,
    entries: Vec<Entry>,
}

impl<'a> Reader<'a> {
    pub fn new(sources: Sources<'a>) -> Self {
        Self { sources, settings: Vec::new(), problems: Vec::new(), known: Vec::new(), unknown: Vec::new() }
    }

    /// Returns the section that contains all others.
    pub fn top(&mut self, node: Node) -> Section<'_, 'a> {
        Section::new(self, String::new(), node)
    }

    /// Returns the origin of a value at this position.
    pub fn origin(&self, at: Position) -> Origin {
        match self.sources.files.get(at.file) {
            Some(path) => Origin::File(path.clone(), at.line),
            None => Origin::Task,
        }
    }

    /// Overrides the file with a flag or a variable. A later override replaces an earlier one.
    pub fn override_with(&mut self, key: &'static str, text: Option<&str>, origin: Origin) {
        match text {
            Some(text) => drop(self.sources.overrides.insert(key, (text.to_owned(), origin))),
            None => self.bad_value(origin, key.to_owned(), "is not UTF-8 text"),
        }
    }

    /// Returns true if a flag or a variable sets this key.
    pub fn is_override(&self, key: &str) -> bool {
        self.sources.overrides.contains_key(key)
    }

    /// Reads a value that flags and variables may set and the file may not.
    pub fn find_override<T: Decode>(&mut self, key: &str) -> Option<T> {
        let (node, origin) = self.stronger(key)?;
        let value = self.decode::<T>(key, &node, &origin)?;
        self.note(key.to_owned(), value.show(), origin);
        Some(value)
    }

    fn stronger(&self, key: &str) -> Option<(Node, Origin)> {
        let (text, origin) = self.sources.overrides.get(key)?;
        Some((Node::untyped(text), origin.clone()))
    }

    fn decode<T: Decode>(&mut self, key: &str, node: &Node, origin: &Origin) -> Option<T> {
        let key = key.to_owned();
        let what = match T::decode(node) {
            Ok(value) => return Some(value),
            Err(Refused::Value(problem)) => ProblemKind::BadValue { key, problem },
            Err(Refused::NoUnit(number)) => ProblemKind::NoUnit { key, number },
            Err(Refused::Type) => {
                let found = if T::SECRET { node.kind().to_owned() } else { node.describe() };
                ProblemKind::WrongType { key, expected: T::expected(), found }
            }
        };
        self.problem(origin.clone(), what);
        None
    }

    /// Records a problem with a value that was read before.
    pub fn reject(&mut self, key: &str, problem: impl Into<String>) {
        let origin = self.settings.iter().find(|s| s.key == key).map(|s| s.origin.clone());
        self.bad_value(origin.unwrap_or(Origin::Default), key.to_owned(), problem);
    }

    pub fn bad_value(&mut self, origin: Origin, key: String, problem: impl Into<String>) {
        self.problem(origin, ProblemKind::BadValue { key, problem: problem.into() });
    }

    pub fn problem(&mut self, origin: Origin, what: ProblemKind) {
        self.problems.push(Problem { origin, what });
    }

    pub fn note(&mut self, key: String, value: Value, origin: Origin) {
        self.settings.push(Setting { key, value, origin });
    }

    /// Returns the settings, or all problems in the order of the file.
    pub fn finish(mut self) -> Result<Vec<Setting>, ConfigError> {
        for (key, origin) in std::mem::take(&mut self.unknown) {
            let nearest = nearest(&key, &self.known);
            self.problem(origin, ProblemKind::UnknownKey { key, nearest });
        }
        self.problems.sort_by_key(|p| p.origin.line());
        if self.problems.is_empty() { Ok(self.settings) } else { Err(ConfigError::Invalid(self.problems)) }
    }
}

impl<'r, 'a> Section<'r, 'a> {
    pub fn new(reader: &'r mut Reader<'a>, path: String, node: Node) -> Self {
        let at = node.at;
        let entries = match node.raw {
            Raw::Map(entries) => entries,
            Raw::Null => Vec::new(),
            _ => {
                let key = if path.is_empty() { "the file".to_owned() } else { path.clone() };
                let expected = "a section (keys with values below it)".to_owned();
                let what = ProblemKind::WrongType { key, expected, found: node.describe() };
                reader.problem(reader.origin(at), what);
                Vec::new()
            }
        };
        let mut section = Self { reader, path, at, entries: Vec::new() };
        for entry in entries {
            // Keys with this prefix are ignored, so that YAML anchors can be defined there.
            if entry.key.starts_with("x-") && !section.reader.sources.files.is_empty() {
                continue;
            }
            section.add(entry);
        }
        section
    }

    fn add(&mut self, entry: Entry) {
        match self.entries.iter().find(|e| e.key == entry.key) {
            Some(Entry { at: first, .. }) => {
                let what = ProblemKind::DuplicateKey { key: self.key(&entry.key), first: first.line };
                self.reader.problem(self.reader.origin(entry.at), what);
            }
            None => self.entries.push(entry),
        }
    }

    /// Returns the key with its sections as prefix.
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Returns the position of the section's beginning.
    pub fn origin(&self) -> Origin {
        self.reader.origin(self.at)
    }

    /// Returns true if the key is present and has not been read.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|e| e.key == key)
    }

    /// Reads a value. Returns `default` if no source sets it, or the value is wrong.
    pub fn get<T: Decode>(&mut self, key: &'static str, default: T) -> T {
        let (value, origin) = match self.read(key) {
            Some((value, origin)) => (value, origin),
            None => (default, Origin::Default),
        };
        self.reader.note(self.key(key), value.show(), origin);
        value
    }

    /// Reads a value that is listed among the settings only if a source sets it.
    pub fn find<T: Decode>(&mut self, key: &'static str) -> Option<T> {
        let (value, origin) = self.read::<T>(key)?;
        self.reader.note(self.key(key), value.show(), origin);
        Some(value)
    }

    /// The same for a value that is one of these words, which the caller knows and no type does.
    pub fn find_one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let path = self.key(key);
        let entry = self.take(key)?;
        let origin = self.reader.origin(entry.at);
        let found = match &entry.node.raw {
            Raw::Text(text) | Raw::Untyped(text) => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        let Some((word, value)) = found else {
            let expected = one_of(words.iter().map(|(word, _)| *word));
            let what = ProblemKind::WrongType { key: path, expected, found: entry.node.describe() };
            self.reader.problem(origin, what);
            return None;
        };
        self.reader.note(path, Value::from(*word), origin);
        Some(*value)
    }

    /// An absolute path: `~` is the home folder, other relative ones start at the folder of the file.
    pub fn path(&mut self, key: &'static str, default: &str) -> PathBuf {
        let (text, origin) = self.read::<String>(key).unwrap_or((default.to_owned(), Origin::Default));
        let path = self.absolute(key, &text, &origin);
        self.reader.note(self.key(key), Value::from(path.to_string_lossy()), origin);
        path
    }

    /// Reads a path as `path` does, for a key that may be missing or empty.
    pub fn find_path(&mut self, key: &'static str) -> Option<(PathBuf, Origin)> {
        let (text, origin) = self.read::<Option<String>>(key)?;
        let path = self.absolute(key, &text?, &origin);
        self.reader.note(self.key(key), Value::from(path.to_string_lossy()), origin.clone());
        Some((path, origin))
    }

    /// Reads a list of such paths.
    pub fn paths(&mut self, key: &'static str) -> Vec<PathBuf> {
        let (texts, origin) = self.read::<Vec<String>>(key).unwrap_or((Vec::new(), Origin::Default));
        let paths: Vec<PathBuf> = texts.iter().map(|text| self.absolute(key, text, &origin)).collect();
        let shown = paths.iter().map(|p| Value::from(p.to_string_lossy())).collect();
        self.reader.note(self.key(key), shown, origin);
        paths
    }

    /// Returns the section below a key.
    pub fn section(&mut self, key: &str) -> Section<'_, 'a> {
        let path = self.key(key);
        let node = self.take(key).map_or(Node { at: self.at, raw: Raw::Null }, |e| e.node);
        Section::new(self.reader, path, node)
    }

    /// Returns each item of a list of sections, named `key[0]`, `key[1]`, …
    pub fn sections(&mut self, key: &'static str) -> Vec<(String, Node)> {
        let path = self.key(key);
        let items = match self.take(key).map(|e| e.node) {
            None => Vec::new(),
            Some(Node { raw: Raw::List(items), .. }) => items,
            Some(other) => {
                let expected = "a list of sections".to_owned();
                let what = ProblemKind::WrongType { key: path.clone(), expected, found: other.describe() };
                self.reader.problem(self.reader.origin(other.at), what);
                Vec::new()
            }
        };
        items.into_iter().enumerate().map(|(at, node)| (format!("{path}[{at}]"), node)).collect()
    }

    /// Returns the keys that have not been read, for sections that use names as keys.
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|e| e.key.clone()).collect()
    }

    /// Records a problem with a key of this section, which need not be present.
    pub fn reject(&mut self, key: &str, problem: impl Into<String>) {
        self.reader.bad_value(self.origin(), self.key(key), problem);
    }

    /// Records the keys that were never read as unknown.
    pub fn finish(self) {
        for entry in &self.entries {
            let place = (self.key(&entry.key), self.reader.origin(entry.at));
            self.reader.unknown.push(place);
        }
    }

    fn take(&mut self, key: &str) -> Option<Entry> {
        self.reader.known.push(self.key(key));
        let at = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(at)).filter(|e| e.node.raw != Raw::Null)
    }

    fn read<T: Decode>(&mut self, key: &str) -> Option<(T, Origin)> {
        let path = self.key(key);
        let in_file = self.take(key).map(|e| (e.node, self.reader.origin(e.at)));
        let (node, origin) = self.reader.stronger(&path).or(in_file)?;
        Some((self.reader.decode(&path, &node, &origin)?, origin))
    }

    fn absolute(&mut self, key: &str, text: &str, origin: &Origin) -> PathBuf {
        let from = match origin {
            Origin::File(file, _) => file.parent().unwrap_or(self.reader.sources.cwd),
            _ => self.reader.sources.cwd,
        };
        if let Some(path) = self.reader.sources.environment.expand(text) {
            return from.join(path);
        }
        let problem = format!("is {text}, and $HOME is not set");
        self.reader.bad_value(origin.clone(), self.key(key), problem);
        PathBuf::from(text)
    }
}

/// Returns the known key that was probably meant: one in the same section with a similar spelling, else one with the
/// same name in another section.
fn nearest(key: &str, known: &[String]) -> Option<String> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let last = |k: &str| k.rsplit_once('.').map_or(k.to_owned(), |(_, last)| last.to_owned());
    // The right name in the wrong section.
    if let Some(elsewhere) = known.iter().find(|k| last(k) == name) {
        return Some(elsewhere.clone());
    }
    let alike = |k: &&String| k.rsplit_once('.').map_or("", |(s, _)| s) == section;
    let score = |k: &String| strsim::jaro_winkler(&last(k), &name.to_lowercase());
    let best = known.iter().filter(alike).max_by(|a, b| score(a).total_cmp(&score(b)));
    best.filter(|best| score(best) >= 0.8).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_one_that_could_be_meant() {
        let known = [
            "defaults",
            "limits",
            "api",
            "defaults.timeout",
            "defaults.max_restarts",
            "limits.max_cost_usd",
            "api.port",
        ]
        .map(str::to_owned);
        for (key, found) in [
            ("limits.max_restarts", Some("defaults.max_restarts")),
            ("limits.max_cost", Some("limits.max_cost_usd")),
            ("defaults.timout", Some("defaults.timeout")),
            ("defaults.maxRestarts", Some("defaults.max_restarts")),
            ("defualts", Some("defaults")),
            ("timeout", Some("defaults.timeout")),
            ("limits.port", Some("api.port")),
            ("defaults.colour", None),
        ] {
            assert_eq!(nearest(key, &known).as_deref(), found, "{key}");
        }
    }
}
