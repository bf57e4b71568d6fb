//! `/openapi.json`: the document of this API.

use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use warp::reply::Response;

use crate::http::{
    Api,
    endpoint::{Endpoint, Serve, get},
    openapi::Document,
};

pub(super) fn endpoints() -> Vec<Endpoint<Serve>> {
    vec![
        get("/openapi.json", "The document of this API, OpenAPI 3.1")
            .json::<Value>(StatusCode::OK, "The document")
            .map(|call, (): &()| Ok(document(&call.api))),
    ]
}

fn document(api: &Api) -> Response {
    let document = api.document.get_or_init(|| Document::of(&api.table));
    let mut response = Response::new(document.json.clone().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
