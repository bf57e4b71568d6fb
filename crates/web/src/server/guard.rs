//! The guard, before any route, checks that a request is meant for this server, and comes from a permitted page or
//! program.
//!
//! The agents behind this server may do anything, and every page in a browser on this machine can send requests to
//! it. Therefore the guard demands of a request:
//!
//! - It has exactly one `Host`, which is one of ours. A foreign one may be a rebound name.
//! - Its `Origin`, if it has one, is our own.
//! - Browsers do not mark it as cross-site.
//! - Its body is `application/json`, which no page can send to another origin without a preflight.
//!
//! A refused request is refused before its body is read.

use std::net::IpAddr;

use http::{HeaderMap, Method, Request, StatusCode, header};

use super::super::{
    caller::Peer,
    error::{Error, Origin, Result},
    manners::Manners,
};

/// Maximum length of a request's target, in bytes.
const LONGEST_TARGET: usize = 8 * 1024;
/// The methods that are reported to a client that takes this server for a proxy.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Decides which requests of a listener reach a route.
#[derive(Debug, Clone)]
pub struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    /// A guard for a listener at this address, that also answers to these names.
    #[must_use]
    pub fn new(address: IpAddr, names: impl IntoIterator<Item = String>) -> Self {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let spelled = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let hosts = own.into_iter().chain([spelled]).chain(names);
        Self { hosts: hosts.collect() }
    }

    /// Refuses a request that must not reach a route.
    pub(super) fn check<B>(&self, request: &Request<B>, peer: Peer, manners: &Manners) -> Result<()> {
        if *request.method() == Method::CONNECT {
            return Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, "this server is not a proxy")
                .from(Origin::WrongMethod(METHODS.to_owned())));
        }
        if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > LONGEST_TARGET) {
            let text = format!("the address is longer than {LONGEST_TARGET} bytes");
            return Err(Error::new(StatusCode::URI_TOO_LONG, text).from(Origin::Guard));
        }
        // No browser uses a socket of the file system, and clients may use any host name with it.
        if peer != Peer::Owner {
            let host = self.host(request)?;
            site(request, host, manners)?;
        }
        Ok(())
    }

    fn host<'a, B>(&self, request: &'a Request<B>) -> Result<&'a str> {
        let misdirected = |text: &str| Error::new(StatusCode::MISDIRECTED_REQUEST, text).from(Origin::Guard);
        let Ok(Some(host)) = only(request.headers(), header::HOST) else {
            return Err(misdirected("a request has exactly one Host header"));
        };
        let named_otherwise = request.uri().authority().is_some_and(|a| a.as_str() != host);
        if named_otherwise || !self.serves(without_port(host)) {
            return Err(misdirected("this host is not served here; api.allowed_hosts lists more"));
        }
        Ok(host)
    }

    fn serves(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }
}

/// Refuses a request from a page that is not permitted.
fn site<B>(request: &Request<B>, host: &str, manners: &Manners) -> Result<()> {
    let headers = request.headers();
    let foreign = || manners.cors.refuse();
    let (Ok(origin), Ok(site)) = (only(headers, header::ORIGIN), only(headers, SITE)) else {
        return Err(foreign());
    };
    if let Some(origin) = origin {
        if manners.cors.allowed(headers).is_some() {
            return Ok(());
        }
        if !is_at(origin, host) {
            return Err(foreign());
        }
    }
    let elsewhere = match site {
        Some(site) => matches!(site, "cross-site" | "same-site"),
        // A browser sends no site header to an address that it does not trust, but it may name the page.
        None => match (origin, only(headers, header::REFERER)) {
            (None, Ok(Some(referer))) => !is_at(referer, host),
            (_, Err(NotSingle)) => true,
            _ => false,
        },
    };
    if elsewhere && !is_visit(request, manners) { Err(foreign()) } else { Ok(()) }
}

/// Refuses a body that is too large, or of another type than JSON.
///
/// `two_lengths` says that its head has a length and a transfer encoding, one of which the HTTP library has removed.
pub(super) fn check_body<B: hyper::body::Body>(
    request: &Request<B>,
    most: u64,
    two_lengths: bool,
) -> Result<()> {
    let headers = request.headers();
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    if lengths > 1 || two_lengths || (lengths == 1 && headers.contains_key(header::TRANSFER_ENCODING)) {
        return Err(Error::bad_request("the request states the length of its body twice").from(Origin::Guard));
    }
    if request.body().is_end_stream() {
        return Ok(());
    }
    if request.body().size_hint().lower() > most {
        return Err(Error::too_large(most).from(Origin::Guard));
    }
    is_json(headers)
}

/// The header in which a browser states the site of a page.
const SITE: &str = "sec-fetch-site";

/// A header that is repeated, or is not text.
struct NotSingle;

/// Returns the only value of a header, if it is present.
fn only(headers: &HeaderMap, name: impl header::AsHeaderName) -> Result<Option<&str>, NotSingle> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| NotSingle),
        (Some(_), Some(_)) => Err(NotSingle),
    }
}

/// Returns true if a URL or an origin has this host and port.
fn is_at(url: &str, host: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, rest)| {
        let at = rest.split(['/', '?', '#']).next().unwrap_or_default();
        matches!(scheme, "http" | "https") && at.eq_ignore_ascii_case(host)
    })
}

/// Returns true if a user follows a link to a page of the program. The page is shown to that user only.
fn is_visit<B>(request: &Request<B>, manners: &Manners) -> bool {
    let said = |name: &str, value: &str| {
        only(request.headers(), name).is_ok_and(|said| said.is_none_or(|said| said == value))
    };
    *request.method() == Method::GET
        && (manners.pages.is_page)(request.uri().path())
        && !request.headers().contains_key(header::ORIGIN)
        && said("sec-fetch-mode", "navigate")
        && said("sec-fetch-dest", "document")
}

/// Returns true if a page in a browser made a request, according to the headers that browsers send.
pub(super) fn is_from_a_page(headers: &HeaderMap) -> bool {
    let client = headers.get("x-conductor-client").map(http::HeaderValue::as_bytes);
    let said = ["sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "origin", "referer"];
    client == Some(b"web-ui") || said.iter().any(|name| headers.contains_key(*name))
}

fn is_json(headers: &HeaderMap) -> Result<()> {
    let kind = only(headers, header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        let text = "a body is sent as Content-Type: application/json";
        Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text).from(Origin::Guard))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of a bare IPv6 address is not followed by a port.
        Some((name, port)) if !port.ends_with(']') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::manners::{Cors, PageRules},
        *,
    };

    fn check(target: &str, headers: &[(&str, &str)]) -> u16 {
        let manners = Manners {
            cors: Cors { origins: vec!["https://friend.example".to_owned()], ..Cors::NONE },
            pages: PageRules { is_page: |path| path.starts_with("/ui/"), ..PageRules::NONE },
            ..Manners::plain()
        };
        let guard = Guard::new(IpAddr::from([127, 0, 0, 1]), ["conductor.lan".to_owned()]);
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer = Peer::At(([127, 0, 0, 1], 50_000).into());
        let checked = guard.check(&request.body(()).unwrap(), peer, &manners);
        checked.map_or_else(|e| e.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_page_of_another_site_gets_nothing() {
        let own = ("host", "127.0.0.1:14355");
        for (target, headers, status) in [
            ("/api/v1/tasks", vec![own], 200),
            ("/api/v1/tasks", vec![("host", "conductor.lan")], 200),
            ("/api/v1/tasks", vec![], 421),
            ("/api/v1/tasks", vec![own, own], 421),
            ("/api/v1/tasks", vec![("host", "rebound.example")], 421),
            ("/api/v1/tasks", vec![("host", "x@127.0.0.1")], 421),
            ("http://127.0.0.1:14355/api/v1/tasks", vec![own], 200),
            ("http://rebound.example/api/v1/tasks", vec![own], 421),
            ("/api/v1/tasks", vec![own, ("origin", "http://127.0.0.1:14355")], 200),
            ("/api/v1/tasks", vec![own, ("origin", "http://127.0.0.1:14356")], 403),
            ("/api/v1/tasks", vec![own, ("origin", "http://localhost:14355")], 403),
            ("/api/v1/tasks", vec![own, ("origin", "null")], 403),
            (
                "/api/v1/tasks",
                vec![own, ("origin", "http://127.0.0.1:14355"), ("origin", "http://evil.example")],
                403,
            ),
            (
                "/api/v1/tasks",
                vec![own, ("origin", "https://friend.example"), ("sec-fetch-site", "cross-site")],
                200,
            ),
            ("/api/v1/tasks", vec![own, ("origin", "https://friend.example.evil")], 403),
            ("/api/v1/tasks", vec![own, ("sec-fetch-site", "cross-site")], 403),
            ("/api/v1/tasks", vec![own, ("sec-fetch-site", "same-site")], 403),
            ("/api/v1/tasks", vec![own, ("sec-fetch-site", "none")], 200),
            (
                "/api/v1/tasks",
                vec![own, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
                403,
            ),
            ("/api/v1/tasks", vec![own, ("referer", "http://evil.example/page")], 403),
            ("/api/v1/tasks", vec![own, ("referer", "http://127.0.0.1:14355/ui/")], 200),
        ] {
            assert_eq!(check(target, &headers), status, "{target} {headers:?}");
        }
    }

    #[test]
    fn a_link_leads_to_our_pages_and_no_further() {
        let visit = |target, mode, dest| {
            check(
                target,
                &[
                    ("host", "localhost"),
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", mode),
                    ("sec-fetch-dest", dest),
                ],
            )
        };
        assert_eq!(visit("/ui/", "navigate", "document"), 200);
        assert_eq!(visit("/ui/", "navigate", "iframe"), 403);
        assert_eq!(visit("/ui/", "no-cors", "script"), 403);
        assert_eq!(visit("/api/v1/tasks", "navigate", "document"), 403);
    }

    #[test]
    fn an_address_has_an_end() {
        let target = format!("/api/v1/tasks?x={}", "y".repeat(LONGEST_TARGET));
        assert_eq!(check(&target, &[("host", "localhost")]), 414);
    }
}
