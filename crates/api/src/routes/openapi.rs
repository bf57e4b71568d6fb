//! `/openapi.json` and `/docs`: the documentation of this API, for programs and for users.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};
use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, IF_NONE_MATCH, OPEN, get, page},
    error::Result,
    manners::DESCRIPTION,
};
use web::openapi::{Asset, CSS, Document, HTML};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(OPEN, "/openapi.json", "Get the OpenAPI 3.1 document of this API")
            .params(&[IF_NONE_MATCH])
            .json::<Map<String, Value>>(StatusCode::OK, "The document")
            .empty(StatusCode::NOT_MODIFIED, "The client has the current version")
            .map(|call, (): &()| send(call, |document| &document.json)),
        page("/docs", "The documentation of this API as a page")
            .text(StatusCode::OK, "The page", HTML)
            .map(|call, (): &()| send(call, |document| &document.page)),
        page("/docs/style.css", "The style sheet of the documentation page")
            .text(StatusCode::OK, "The style", CSS)
            .map(|call, (): &()| send(call, |document| &document.style)),
    ]
}

fn send(call: &Call, which: impl Fn(&Document) -> &Asset) -> Result<Response> {
    let asset = which(call.api.document.get_or_init(|| Document::of(&call.api.table, &DESCRIPTION)));
    let given = call.header(&IF_NONE_MATCH)?.unwrap_or_default();
    let known = given.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.tag);
    let mut response = Response::new(if known { Vec::new().into() } else { asset.bytes.clone().into() });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
