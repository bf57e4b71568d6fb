//! Which endpoint a request means: asked once, at the door.

use std::{borrow::Cow, sync::Arc};

use percent_encoding::percent_decode_str;

use super::{
    declared::{Endpoint, Serve},
    target::Given,
};

/// All endpoints. Of two that fit the same path the first one is meant.
#[derive(Debug)]
pub(in crate::http) struct Table(Vec<Arc<Endpoint<Serve>>>);

/// What a request means.
#[derive(Debug)]
pub(in crate::http) enum Found {
    /// This endpoint, with what its path names.
    Endpoint(Arc<Endpoint<Serve>>, Given),
    /// Which methods a path has, as the `Allow` header spells them.
    Options(String),
    /// A path that has these methods only.
    WrongMethod(String),
    /// No path of ours.
    Nothing,
}

impl Table {
    /// A table of these.
    pub(in crate::http) fn new(endpoints: impl IntoIterator<Item = Endpoint<Serve>>) -> Self {
        Self(endpoints.into_iter().map(Arc::new).collect())
    }

    /// All of them.
    pub(in crate::http) fn endpoints(&self) -> impl Iterator<Item = &Endpoint<Serve>> {
        self.0.iter().map(|e| &**e)
    }

    /// Looks for the endpoint of a request.
    pub(in crate::http) fn find(&self, method: &str, path: &str) -> Found {
        let Some((first, given)) = self.0.iter().find_map(|e| Some((e, fits(e.path, path)?))) else {
            return Found::Nothing;
        };
        let same = || self.0.iter().filter(|e| e.path == first.path);
        let meant = if method == "HEAD" { "GET" } else { method };
        match same().find(|e| e.method == meant) {
            Some(endpoint) => Found::Endpoint(endpoint.clone(), given),
            None if method == "OPTIONS" => Found::Options(allow(same())),
            None => Found::WrongMethod(allow(same())),
        }
    }
}

fn allow<'a>(endpoints: impl Iterator<Item = &'a Arc<Endpoint<Serve>>>) -> String {
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

/// What stands for the parameters of a pattern, if a path is of it.
fn fits(pattern: &'static str, path: &str) -> Option<Given> {
    let mut given = Given::default();
    let (mut names, mut texts) = (pattern.split('/'), path.split('/'));
    loop {
        match (names.next(), texts.next()) {
            (None, None) => return Some(given),
            (Some(name), Some(text)) => match name.strip_prefix('{').and_then(|n| n.strip_suffix('}')) {
                Some(_) if text.is_empty() => return None,
                Some(name) => given.0.push((name, decoded(text).into_owned())),
                None if name == text => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

/// The text of a segment. Bytes that are no UTF-8 become a character that no id has.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
