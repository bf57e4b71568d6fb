//! The table of an API's endpoints, which the door asks once for each request.

use std::{borrow::Cow, sync::Arc};

use percent_encoding::percent_decode_str;

use super::{declared::Declared, served::Endpoint, target::PathTexts};

/// All endpoints of an API. If the paths of two fit a request, the first one is called.
#[derive(Debug)]
pub struct Table<S>(Vec<Arc<Endpoint<S>>>);

/// The meaning of a request.
#[derive(Debug)]
pub enum RouteMatch<S> {
    /// A call of this endpoint, with the texts of its path.
    Endpoint(Arc<Endpoint<S>>, PathTexts),
    /// A request for the methods of a path: these, as the `Allow` header spells them.
    Options(String),
    /// A method that the path does not have; it has these.
    WrongMethod(String),
    /// A path that the table does not have.
    Nothing,
}

impl<S> Table<S> {
    /// A table of these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint<S>>) -> Self {
        Self(endpoints.into_iter().map(Arc::new).collect())
    }

    /// Returns the declarations of all endpoints.
    pub fn declared(&self) -> impl Iterator<Item = &Declared> {
        self.0.iter().map(|e| e.declared())
    }

    /// Looks for the endpoint of a request.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> RouteMatch<S> {
        let Some(first) = self.0.iter().find(|e| fits(e.declared().path, path)) else {
            return RouteMatch::Nothing;
        };
        let same = || self.0.iter().filter(|e| e.declared().path == first.declared().path);
        let meant = if method == "HEAD" { "GET" } else { method };
        match same().find(|e| e.declared().method == meant) {
            Some(endpoint) => RouteMatch::Endpoint(endpoint.clone(), texts(endpoint.declared().path, path)),
            None if method == "OPTIONS" => RouteMatch::Options(allow(same().map(|e| e.declared()))),
            None => RouteMatch::WrongMethod(allow(same().map(|e| e.declared()))),
        }
    }
}

fn allow<'a>(endpoints: impl Iterator<Item = &'a Declared>) -> String {
    let mut methods = Vec::new();
    for endpoint in endpoints {
        methods.push(endpoint.method);
        if endpoint.method == "GET" {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

/// Returns true if a path fits a pattern. Every request asks this of many patterns, so it allocates nothing.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut names, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        let fits = match (names.next(), segments.next()) {
            (None, None) => return true,
            (Some(name), Some(text)) if parameter(name).is_some() => !text.is_empty(),
            (name, text) => name == text,
        };
        if !fits {
            return false;
        }
    }
}

/// Returns the texts for the parameters of a pattern that a path fits.
fn texts(pattern: &'static str, path: &str) -> PathTexts {
    let pairs = pattern.split('/').zip(path.split('/'));
    PathTexts(pairs.filter_map(|(name, text)| Some((parameter(name)?, decoded(text).into_owned()))).collect())
}

/// Returns the name of a segment that is a parameter.
fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Returns the text of a segment. Bytes that are not UTF-8 become a character that no id has.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
