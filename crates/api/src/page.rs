//! `/ui/`: the page for users, as embedded in the binary, or instructions to embed it.
//!
//! Every path below `/ui/` that is no file is a location within the page, which resolves it in the browser.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use warp::reply::Response;

use super::embedded;

/// The names of built files contain a hash of their content, so they never change.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The answer at `/ui/` if the page was not built.
const NOT_BUILT: &str = include_str!("page_not_built.html");

/// Returns true if a path is one of a page of the program or of a part of one. Pages reveal nothing of the user's
/// work.
pub(super) fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/ui" | "/docs") || path.starts_with("/ui/") || path.starts_with("/docs/")
}

/// Answers a request for a page; `None` if the request is for something else.
pub(super) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if *method != Method::GET && *method != Method::HEAD {
        return None;
    }
    match path {
        // The page loads its files from below `/ui/` only.
        "/" | "/ui" => Some(to_the_page()),
        path => path.strip_prefix("/ui/").map(|name| file(name, headers)),
    }
}

fn to_the_page() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/ui/"));
    response
}

/// Returns a file of the page, or the page itself, which shows the location in the address.
fn file(name: &str, headers: &HeaderMap) -> Response {
    let hashed = name.starts_with("assets/");
    let found = embedded::find(name).filter(|_| !name.is_empty());
    let (file, mime, status) = match found {
        Some(file) => (Some(file), mime(name), StatusCode::OK),
        // A file of an older build is gone; the page in its place would only confuse the browser.
        None if hashed => (None, "text/plain; charset=utf-8", StatusCode::NOT_FOUND),
        None => (embedded::find("index.html"), "text/html; charset=utf-8", StatusCode::OK),
    };
    let (body, compressed) = match file {
        Some(file) if accepts_gzip(headers) => file.compressed(),
        Some(file) => (file.plain(), false),
        None if hashed => (b"this file is of another build; reload the page\n".into(), false),
        None => (NOT_BUILT.as_bytes().into(), false),
    };
    let mut response = Response::new(body.into_owned().into());
    *response.status_mut() = status;
    let caching = if hashed && status == StatusCode::OK { FOR_EVER } else { "no-cache" };
    for (name, value) in
        [(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, caching), (header::VARY, "accept-encoding")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if compressed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    named.flat_map(|v| v.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        gzip && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_can_read_it() {
        for (given, accepted) in [
            (None, false),
            (Some("gzip, deflate, br"), true),
            (Some("br;q=1.0, gzip;q=0.8"), true),
            (Some("gzip;q=0"), false),
            (Some("*"), true),
            (Some("identity"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(given));
            }
            assert_eq!(accepts_gzip(&headers), accepted, "{given:?}");
        }
    }

    #[test]
    fn what_is_no_file_is_a_place_in_the_page() {
        let response = file("p/demo/t/x", &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(file("assets/gone.js", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }
}
