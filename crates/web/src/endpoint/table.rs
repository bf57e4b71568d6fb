//! The table of an API's endpoints, which the door asks once for each request.

use std::{borrow::Cow, sync::Arc};

use percent_encoding::percent_decode_str;

use super::{declared::Declared, served::Endpoint, target::PathTexts};

/// All endpoints of an API. Of two whose paths fit a request, the first one is called.
#[derive(Debug)]
pub struct Table<S>(Vec<Arc<Endpoint<S>>>);

/// The meaning of a request.
#[derive(Debug)]
pub enum Found<S> {
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
    pub fn find(&self, method: &str, path: &str) -> Found<S> {
        let Some((first, texts)) = self.0.iter().find_map(|e| Some((e, fits(e.declared().path, path)?)))
        else {
            return Found::Nothing;
        };
        let same = || self.0.iter().filter(|e| e.declared().path == first.declared().path);
        let meant = if method == "HEAD" { "GET" } else { method };
        match same().find(|e| e.declared().method == meant) {
            Some(endpoint) => Found::Endpoint(endpoint.clone(), texts),
            None if method == "OPTIONS" => Found::Options(allow(same().map(|e| e.declared()))),
            None => Found::WrongMethod(allow(same().map(|e| e.declared()))),
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

/// Returns the texts for the parameters of a pattern, if a path fits it.
fn fits(pattern: &'static str, path: &str) -> Option<PathTexts> {
    let mut texts = PathTexts::default();
    let (mut names, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (names.next(), segments.next()) {
            (None, None) => return Some(texts),
            (Some(name), Some(text)) => match name.strip_prefix('{').and_then(|n| n.strip_suffix('}')) {
                Some(_) if text.is_empty() => return None,
                Some(name) => texts.0.push((name, decoded(text).into_owned())),
                None if name == text => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// Returns the text of a segment. Bytes that are not UTF-8 become a character that no id has.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
