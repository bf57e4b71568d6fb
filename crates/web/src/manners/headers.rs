//! The headers of every answer, whatever its mount.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{super::caller, cors::Allowed};

/// For data: nothing in it is ever loaded, run, or shown within another page.
const DATA: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
);
/// For pages of the program: all parts come from this server, and none stands in the page itself.
const PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// The facts that the headers of an answer depend on.
#[derive(Debug)]
pub(crate) struct Finish<'a> {
    pub(crate) status: StatusCode,
    /// True if the answer is a page of the program, or a part of one.
    pub(crate) is_page: bool,
    pub(crate) request_id: &'a str,
    /// The `WWW-Authenticate` header of a 401.
    pub(crate) challenge: &'static str,
    pub(crate) allowed: Option<Allowed>,
}

/// Sets the headers.
pub(crate) fn finish(headers: &mut HeaderMap, of: Finish<'_>) {
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, if of.is_page { PAGE } else { DATA });
    if of.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(of.challenge));
    }
    if let Some(id) = caller::header(of.request_id) {
        headers.insert(caller::REQUEST_ID, id);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // A cache must not give one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(allowed) = of.allowed {
        allowed.mark(headers);
    }
}
