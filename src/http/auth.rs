//! Who calls: the key of a request, compared in constant time, and what it allows.

use http::{HeaderMap, Method, header};

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// What it asks for.
    Granted,
    /// Nothing: it has no key that we know.
    Unknown,
    /// Only to read, and it asks for more.
    ReadOnly,
}

/// The keys of the server; without any, everybody may do everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(pub(super) Vec<Key>);

/// One key.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) may_change: bool,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Keys {
    /// Decides about a request.
    pub(super) fn access(&self, method: &Method, path: &str, headers: &HeaderMap) -> Access {
        if self.0.is_empty() || is_open(path) {
            return Access::Granted;
        }
        let Some(given) = given(headers) else { return Access::Unknown };
        // Every key is looked at, so that the time tells nothing of which one is nearly right.
        let matching =
            self.0.iter().filter(|k| same(k.text.as_bytes(), given.as_bytes())).collect::<Vec<_>>();
        match matching.first() {
            None => Access::Unknown,
            Some(key) if key.may_change || method.is_safe() => Access::Granted,
            Some(_) => Access::ReadOnly,
        }
    }
}

/// What everybody may ask.
fn is_open(path: &str) -> bool {
    matches!(path, "/api/v1/health" | "/api/v1/version" | "/metrics" | "/healthz") || path.starts_with("/ui/")
}

fn given(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let bearer = bearer.and_then(|v| {
        let (scheme, key) = v.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|v| v.to_str().ok()))
}

/// Compares without telling by its time where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_is_for() {
        let key = |text: &str, may_change| Key { text: text.to_owned(), may_change };
        let keys = Keys(vec![key("all-of-it", true), key("look-only", false)]);
        for (method, path, name, value, access) in [
            (Method::GET, "/api/v1/tasks", "x-other", "", Access::Unknown),
            (Method::GET, "/api/v1/health", "x-other", "", Access::Granted),
            (Method::POST, "/api/v1/tasks", "authorization", "Bearer all-of-it", Access::Granted),
            (Method::POST, "/api/v1/tasks", "authorization", "bearer all-of-it", Access::Granted),
            (Method::POST, "/api/v1/tasks", "authorization", "Basic all-of-it", Access::Unknown),
            (Method::POST, "/api/v1/tasks", "x-api-key", "all-of-it", Access::Granted),
            (Method::POST, "/api/v1/tasks", "x-api-key", "all-of-i", Access::Unknown),
            (Method::GET, "/api/v1/tasks", "x-api-key", "look-only", Access::Granted),
            (Method::POST, "/api/v1/tasks", "x-api-key", "look-only", Access::ReadOnly),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(keys.access(&method, path, &headers), access, "{method} {path} {value}");
        }
        assert_eq!(Keys::default().access(&Method::POST, "/x", &HeaderMap::new()), Access::Granted);
    }
}
