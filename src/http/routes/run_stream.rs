//! `/api/v1/runs/{id}/stream`: what a run prints and how it ends, from the beginning or from a cursor.

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, query, runs::find};
use crate::http::{
    Api,
    error::{Result, answer},
    sse,
    stream::{RunSource, follow as stream, spelled},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "runs" / String / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .then(async |id: String, api, query, last| answer(follow(api, id, query, last).await))
        .boxed()
}

async fn follow(api: Api, id: String, query: Query, last: Option<String>) -> Result<Response> {
    let run = find(&api, &id)?.run.clone();
    let (place, reset) = query.place(last.as_deref())?;
    let mut source = RunSource::new(&api, &run, place.unwrap_or_default());
    if source.is_over().await? {
        return Ok(sse::over());
    }
    Ok(stream(&api, source, reset, spelled))
}
