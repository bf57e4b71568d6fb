//! `/api/v1/runs/stream/all`: what happens to any run.

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, query};
use crate::http::{
    Api,
    error::{Result, answer},
    stream::{AllRunsSource, follow as stream, spelled},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "runs" / "stream" / "all")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .map(|api, query, last: Option<String>| answer(follow(&api, &query, last.as_deref())))
        .boxed()
}

fn follow(api: &Api, query: &Query, last: Option<&str>) -> Result<Response> {
    api.ready()?;
    let place = last.or_else(|| query.text("after"));
    Ok(stream(api, AllRunsSource::new(api, place), None, spelled))
}
