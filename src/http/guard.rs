//! Before any route: is this request meant for us, and from a page or program that may ask?
//!
//! Agents that may do anything stand behind this door, and every page in a browser
//! on this machine can knock. So: exactly one `Host`, and it is one of ours (a foreign
//! one is a rebound name); an `Origin`, if there is one, is our own; nothing that
//! a browser calls cross-site; and a body only as `application/json`, which no page can
//! send elsewhere without asking first.

use std::net::IpAddr;

use http::{HeaderMap, Method, Request, StatusCode, header};

use super::{
    auth::{Access, Key, Keys},
    error::HttpError,
};
use crate::config;

/// Decides which requests reach a route.
#[derive(Debug, Clone)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    keys: Keys,
}

impl Guard {
    /// A guard for a server with these settings that listens on this address.
    #[must_use]
    pub fn new(api: &config::Api, address: IpAddr) -> Self {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let spelled = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let hosts =
            own.into_iter().chain([api.host.clone(), spelled]).chain(api.allowed_hosts.iter().cloned());
        let admin = api.api_key.iter().map(|k| Key { text: k.expose().to_owned(), may_change: true });
        let named = api
            .keys
            .iter()
            .map(|k| Key { text: k.key.expose().to_owned(), may_change: k.scope != config::Scope::Read });
        Self {
            hosts: hosts.map(|h| h.to_ascii_lowercase()).collect(),
            origins: api.cors_origins.clone(),
            // As the document says: once a key is configured, it is asked for.
            keys: Keys(admin.chain(named).collect()),
        }
    }

    /// Refuses what must not reach a route.
    pub(super) fn check<B: hyper::body::Body>(&self, request: &Request<B>) -> Result<(), HttpError> {
        if request.method() == Method::CONNECT {
            return Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "this is no proxy"));
        }
        let host = self.host(request)?;
        self.origin(request.headers(), host)?;
        if !request.body().is_end_stream() {
            is_json(request.headers())?;
        }
        match self.keys.access(request.method(), request.uri().path(), request.headers()) {
            Access::Granted => Ok(()),
            Access::Unknown => Err(HttpError::new(StatusCode::UNAUTHORIZED, "unauthorized")),
            Access::ReadOnly => Err(HttpError::new(StatusCode::FORBIDDEN, "this key allows reading only")),
        }
    }

    fn host<'a, B>(&self, request: &'a Request<B>) -> Result<&'a str, HttpError> {
        let misdirected = |text: &str| HttpError::new(StatusCode::MISDIRECTED_REQUEST, text);
        let mut all = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (all.next(), all.next()) else {
            return Err(misdirected("a request has exactly one Host header"));
        };
        let host = host.to_str().unwrap_or_default();
        let named_otherwise = request.uri().authority().is_some_and(|a| a.as_str() != host);
        if named_otherwise || !self.hosts.contains(&without_port(host).to_ascii_lowercase()) {
            return Err(misdirected("this host is not served here; api.allowed_hosts lists more"));
        }
        Ok(host)
    }

    fn origin(&self, headers: &HeaderMap, host: &str) -> Result<(), HttpError> {
        let foreign = || HttpError::new(StatusCode::FORBIDDEN, "requests from other sites are refused");
        if let Some(origin) = headers.get(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            if self.origins.iter().any(|o| o == origin) {
                return Ok(());
            }
            let ours = origin.split_once("://").is_some_and(|(scheme, at)| {
                matches!(scheme, "http" | "https") && at.eq_ignore_ascii_case(host)
            });
            if !ours {
                return Err(foreign());
            }
        }
        match headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes) {
            Some(b"cross-site" | b"same-site") => Err(foreign()),
            _ => Ok(()),
        }
    }
}

/// Whether a request was made by a page in a browser, by all that browsers say of their requests.
pub(super) fn is_from_a_page(headers: &HeaderMap) -> bool {
    let client = headers.get("x-conductor-client").map(http::HeaderValue::as_bytes);
    let said = ["sec-fetch-mode", "sec-fetch-site", "origin", "referer"];
    client == Some(b"web-ui") || said.iter().any(|name| headers.contains_key(*name))
}

fn is_json(headers: &HeaderMap) -> Result<(), HttpError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body is sent as Content-Type: application/json",
        ))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of a bare IPv6 address stands before no port.
        Some((name, port)) if !port.ends_with(']') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
