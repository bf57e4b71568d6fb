//! `/api/v1/health` and `/api/v1/version`.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use crate::http::{
    Api,
    error::{answer, json},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let health = warp::path!("api" / "v1" / "health")
        .and(warp::get())
        .and(api.clone())
        .map(|api: Api| answer(api.ready().map(|()| json(StatusCode::OK, &json!({ "status": "ok" })))))
        .boxed();
    let version = warp::path!("api" / "v1" / "version")
        .and(warp::get())
        .map(|| json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") })))
        .boxed();
    health.or(version).unify().boxed()
}
