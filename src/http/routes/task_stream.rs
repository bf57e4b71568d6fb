//! `…/tasks/{t}/runs/stream`: what all runs of a task print, those that are yet to come too.

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, query::query};
use crate::http::{
    Api,
    error::{Result, answer},
    stream::{TaskRunsSource, follow as stream, spelled},
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "projects" / String / "tasks" / String / "runs" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(warp::header::optional::<String>("last-event-id"))
        .map(|p: String, t: String, api, query, last: Option<String>| {
            answer(follow(&api, (&p, &t), &query, last.as_deref()))
        })
        .boxed()
}

fn follow(api: &Api, (p, t): (&str, &str), query: &Query, last: Option<&str>) -> Result<Response> {
    let task = api.task(p, t)?.task.clone();
    let (place, reset) = query.place(last)?;
    Ok(stream(api, TaskRunsSource::new(api, &task, place.unwrap_or_default()), reset, spelled))
}
