//! The streams of buses, of `/api/v1/messages/stream` and of a project's or a task's: a bus from its beginning, or from behind a message, and then as it grows.

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Query,
    messages::{Scope, named, owner, scope},
    query::{bad, query},
};
use crate::{
    http::{
        Api,
        error::{Result, answer},
        sse::Event,
        stream::{BusBegin, BusSource, follow as stream, spelled},
    },
    tree::bus::BusOwner,
};

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let last = || warp::header::optional::<String>("last-event-id");
    let v1 = warp::path!("api" / "v1" / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(last())
        .then(async |api, query: Query, last| answer(follow(api, owner(&query), query, last).await))
        .boxed();
    let project = warp::path!("api" / "projects" / String / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(last())
        .then(async |p: String, api, query, last| answer(follow(api, named(&p, None), query, last).await))
        .boxed();
    let task = warp::path!("api" / "projects" / String / "tasks" / String / "messages" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(query())
        .and(last())
        .then(async |p: String, t: String, api, query, last| {
            answer(follow(api, named(&p, Some(&t)), query, last).await)
        })
        .boxed();
    v1.or(project).unify().or(task).unify().boxed()
}

async fn follow(api: Api, owner: Result<BusOwner>, query: Query, last: Option<String>) -> Result<Response> {
    let owner = owner?;
    if scope(&query, &owner)? == Scope::All {
        return Err(bad("scope", &"a stream is of one bus; follow those of the tasks beside it"));
    }
    let begin = match (last, query.optional("after")?) {
        (Some(last), _) => BusBegin::Place(last),
        (None, Some(id)) => BusBegin::After(id),
        (None, None) => BusBegin::First,
    };
    let mut source = BusSource::new(&api, owner, begin);
    let reset = source.begin().await?.then(|| Event::reset(None));
    Ok(stream(&api, source, reset, spelled))
}
