//! `/api/v1/stream`: everything that a page follows, as one stream.

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::query::bad;
use crate::http::{
    Api,
    error::{HttpError, Result, answer},
    sse::{self, Event},
    stream::{PageCursor, Topic, page},
};

/// The most topics of one stream.
const MOST: usize = 200;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "stream")
        .and(warp::get())
        .and(api.clone())
        .and(warp::query::<Vec<(String, String)>>())
        .and(warp::header::optional::<String>("last-event-id"))
        .map(|api, query: Vec<(String, String)>, last| answer(follow(&api, &query, last)))
        .boxed()
}

fn follow(api: &Api, query: &[(String, String)], last: Option<String>) -> Result<Response> {
    api.ready()?;
    let given = |name: &'static str| {
        query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let names =
        given("topics").flat_map(|topics| topics.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let topics: Vec<Topic> =
        names.map(|name| name.parse().map_err(|e| bad("topics", &e))).collect::<Result<_>>()?;
    if topics.is_empty() {
        return Err(HttpError::bad_request("the parameter topics is missing: it says what to follow"));
    }
    if topics.len() > MOST {
        return Err(bad("topics", &format!("{} topics are more than {MOST}", topics.len())));
    }
    let (cursor, reset) = match (last, given("after").next().filter(|after| !after.is_empty())) {
        (Some(last), _) => match last.parse() {
            Ok(cursor) => (cursor, None),
            Err(_) => (PageCursor::default(), Some(Event::reset(None))),
        },
        (None, Some(after)) => (after.parse().map_err(|e| bad("after", &e))?, None),
        (None, None) => (PageCursor::default(), None),
    };
    Ok(sse::respond(api, page(api, topics, cursor, reset)))
}
