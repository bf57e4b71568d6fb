//! Who asks, by the key that came with the request or a ticket made with one, and what that allows.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, StatusCode, header};

use super::{
    caller::Peer,
    error::HttpError,
    tickets::{self, Tickets},
};
use crate::{
    config::Scope,
    daemon::{Identity, Logins, Proof},
};

/// Tells who asks.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) logins: Arc<Logins>,
    pub(super) tickets: Arc<Tickets>,
}

/// What a request needs to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: everybody may ask.
    Nothing,
    /// A key that allows this.
    Key(Scope),
}

impl Keys {
    /// Who asks; `None`: somebody without a key, where one is asked for.
    ///
    /// # Errors
    /// If the key does not come as a key does.
    pub(super) fn identify<B>(
        &self,
        request: &Request<B>,
        peer: Peer,
    ) -> Result<Option<Identity>, HttpError> {
        no_key_in_the_url(request.uri().query())?;
        if peer == Peer::Owner {
            let name = Some("owner".to_owned());
            return Ok(Some(Identity { name, scope: Scope::Admin, proof: Proof::Owner }));
        }
        if !self.logins.are_required() {
            return Ok(Some(Identity { name: None, scope: Scope::Admin, proof: Proof::None }));
        }
        if let Some(key) = given(request.headers()) {
            return Ok(self.logins.identify(key));
        }
        let ticket = request.uri().query().and_then(|query| value(query, tickets::PARAMETER));
        match ticket {
            Some(ticket) if request.method() == Method::GET => {
                Ok(self.tickets.take(ticket, request.uri().path()))
            }
            _ => Ok(None),
        }
    }
}

/// What everybody may read beside pages.
const OPEN: &[&str] =
    &["/api/v1/health", "/api/v1/version", "/api/v1/auth", "/metrics", "/healthz", "/openapi.json"];

/// What a route needs.
pub(super) fn need(method: &str, route: &str) -> Need {
    let reads = matches!(method, "GET" | "HEAD");
    match (method, route) {
        // It only tells what could be asked.
        ("OPTIONS", _) | ("POST", "/api/v1/auth/keys") => Need::Nothing,
        (_, path) if reads && (is_page(path) || OPEN.contains(&path)) => Need::Nothing,
        (_, path) if path == "/api/v1/auth/keys" || path.starts_with("/api/v1/admin/") => {
            Need::Key(Scope::Admin)
        }
        // Who may look may let a link of his look, and a page of his.
        (_, "/api/v1/tickets" | "/api/v1/auth/codes" | "/api/v1/auth/keys/current") => Need::Key(Scope::Read),
        _ if reads => Need::Key(Scope::Read),
        ("DELETE", path) if path.starts_with("/api/projects/") => Need::Key(Scope::Admin),
        (_, path) if path.ends_with("/gc") => Need::Key(Scope::Admin),
        _ => Need::Key(Scope::Run),
    }
}

/// What is there for people to look at: files of ours, which say nothing of anybody's work.
pub(super) fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/ui" | "/docs") || path.starts_with("/ui/") || path.starts_with("/docs/")
}

/// Refuses who may not do what he asks for.
pub(super) fn allow(identity: Option<Identity>, need: Need) -> Result<Option<Identity>, HttpError> {
    match (identity, need) {
        (identity, Need::Nothing) => Ok(identity),
        (None, Need::Key(_)) => Err(unauthorized()),
        (Some(identity), Need::Key(scope)) if identity.scope >= scope => Ok(Some(identity)),
        (Some(identity), Need::Key(scope)) => {
            let name = identity.name.as_deref().unwrap_or_default();
            let text = format!("this needs a key of scope {scope}; '{name}' has scope {}", identity.scope);
            Err(HttpError::new(StatusCode::FORBIDDEN, text))
        }
    }
}

pub(super) fn unauthorized() -> HttpError {
    HttpError::new(StatusCode::UNAUTHORIZED, "unauthorized")
}

/// A key in a URL ends up in histories, logs and `Referer` headers.
fn no_key_in_the_url(query: Option<&str>) -> Result<(), HttpError> {
    const KEYS: &[&str] = &["api_key", "apikey", "api-key", "x-api-key", "access_token", "token", "key"];
    let names = query.unwrap_or_default().split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    for name in names {
        if KEYS.iter().any(|key| key.eq_ignore_ascii_case(name)) {
            let text = format!(
                "a key does not belong into a URL ('{name}'): send it as 'Authorization: Bearer <key>', or ask \
                 for a ticket with POST /api/v1/tickets"
            );
            return Err(HttpError::bad_request(text));
        }
    }
    Ok(())
}

/// The value of a parameter that needs no unescaping.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name).map(|(_, value)| value))
}

fn given(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let bearer = bearer.and_then(|v| {
        let (scheme, key) = v.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|v| v.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;

    #[test]
    fn a_route_needs_what_it_does() {
        for (method, route, needed) in [
            ("GET", "/api/v1/health", Need::Nothing),
            ("GET", "/ui/assets/main.js", Need::Nothing),
            ("POST", "/api/v1/auth/keys", Need::Nothing),
            ("GET", "/api/v1/tasks", Need::Key(Scope::Read)),
            ("GET", "/api/v1/runs/stream/all", Need::Key(Scope::Read)),
            ("POST", "/api/v1/tickets", Need::Key(Scope::Read)),
            ("POST", "/api/v1/tasks", Need::Key(Scope::Run)),
            ("DELETE", "/api/v1/tasks/{task_id}", Need::Key(Scope::Run)),
            ("POST", "/api/v1/messages", Need::Key(Scope::Run)),
            ("POST", "/api/projects/{project_id}/gc", Need::Key(Scope::Admin)),
            ("DELETE", "/api/projects/{project_id}", Need::Key(Scope::Admin)),
            ("POST", "/api/v1/admin/self-update", Need::Key(Scope::Admin)),
            ("GET", "/api/v1/auth/keys", Need::Key(Scope::Admin)),
        ] {
            assert_eq!(need(method, route), needed, "{method} {route}");
        }
    }

    #[test]
    fn what_changes_anything_needs_more_than_reading() {
        let harmless =
            ["/api/v1/tickets", "/api/v1/auth/keys", "/api/v1/auth/codes", "/api/v1/auth/keys/current"];
        for (method, path) in routes::listed() {
            let reads = matches!(need(method, path), Need::Nothing | Need::Key(Scope::Read));
            assert!(!reads || method == "GET" || harmless.contains(&path), "{method} {path}");
        }
    }

    #[test]
    fn a_key_comes_in_a_header() {
        for (name, value, key) in [
            ("authorization", "Bearer k", Some("k")),
            ("authorization", "bearer k", Some("k")),
            ("authorization", "Basic k", None),
            ("x-api-key", "k", Some("k")),
            ("x-other", "k", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(given(&headers), key, "{name}: {value}");
        }
        for (query, refused) in [
            (None, false),
            (Some("limit=3"), false),
            (Some("ticket=x"), false),
            (Some("a=1&API_KEY=x"), true),
            (Some("access_token=x"), true),
            (Some("monkey=x"), false),
        ] {
            assert_eq!(no_key_in_the_url(query).is_err(), refused, "{query:?}");
        }
        assert_eq!(value("a=1&ticket=x&b=2", "ticket"), Some("x"));
        assert_eq!(value("a=ticket", "ticket"), None);
    }
}
