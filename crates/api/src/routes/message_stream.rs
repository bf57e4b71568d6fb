//! The streams of buses, of `/api/v1/messages/stream` and of a project's or a task's: a bus from its beginning or
//! after a message, and then as it grows.

use warp::reply::Response;

use super::messages::{OWNER, SCOPE, Scope, owner, scope};
use crate::{
    endpoint::{Call, Endpoint, LAST_EVENT_ID, Param, READ, get, number, text},
    error::Result,
    stream::{BusBegin, BusSource, BusesSource, MOST_LAST, follow as stream, spelled},
    wire,
};
use tree::{bus::BusOwner, ids::ProjectId};
use view::merged::{BusesBegin, BusesCursor};
use web::sse::Event;

const AFTER: Param = text::<String>(
    "after",
    "The id of a message or, with scope=all, of an event: the stream begins after it",
);

const TAIL: Param = number(
    "tail",
    0,
    MOST_LAST,
    "A new stream begins with this number of last messages; it does not count beside `after` or `Last-Event-ID`",
);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let follows = |path, summary| {
        get(READ, path, summary)
            .params(&[AFTER, TAIL, SCOPE])
            .events::<wire::BusMessage>("The messages of the bus, then new ones as they are posted")
            .errors(&[404, 503])
    };
    vec![
        follows("/api/v1/messages/stream", "Follow a bus")
            .params(&OWNER)
            .then(async |call, (): ()| follow(&call, owner(&call.query)?).await),
        follows("/api/projects/{project_id}/messages/stream", "Follow a project's bus")
            .then(async |call, project| follow(&call, BusOwner::Project(project)).await),
        follows("/api/projects/{project_id}/tasks/{task_id}/messages/stream", "Follow a task's bus")
            .then(async |call, task| follow(&call, BusOwner::Task(task)).await),
    ]
}

async fn follow(call: &Call, owner: BusOwner) -> Result<Response> {
    if scope(&call.query, &owner)? == Scope::All {
        return follow_all(call, owner.project()).await;
    }
    let tail = call.query.number(&TAIL)?;
    let begin = match (call.header(&LAST_EVENT_ID)?, call.query.optional(&AFTER)?, tail) {
        (Some(last), ..) => BusBegin::At(last.to_owned()),
        (None, Some(id), _) => BusBegin::After(id),
        (None, None, Some(most)) => BusBegin::Last(most),
        (None, None, None) => BusBegin::First,
    };
    let mut source = BusSource::new(&call.api, owner, begin);
    let reset = source.begin().await?.then(|| Event::reset(None));
    let words = call.api.words();
    Ok(stream(&call.api, source, reset, move |event| spelled(event, words)))
}

/// Streams the bus of a project and those of its tasks as one.
async fn follow_all(call: &Call, project: &ProjectId) -> Result<Response> {
    // The tasks come from the index.
    call.api.ready()?;
    let last = call.header(&LAST_EVENT_ID)?.map(str::parse::<BusesCursor>);
    let tail = call.query.number(&TAIL)?;
    let (begin, reset) = match (last, call.query.text(&AFTER)?.map(str::parse), tail) {
        (Some(Ok(cursor)), ..) | (None, Some(Ok(cursor)), _) => (BusesBegin::At(cursor), false),
        (Some(Err(_)), ..) => (BusesBegin::First, true),
        // After a message that a list has shown.
        (None, Some(Err(_)), _) => (BusesBegin::After(call.query.required(&AFTER)?), false),
        (None, None, Some(most)) => (BusesBegin::Last(most), false),
        (None, None, None) => (BusesBegin::First, false),
    };
    let mut source = BusesSource::new(&call.api, project, begin);
    let reset = source.begin().await? || reset;
    let words = call.api.words();
    Ok(stream(&call.api, source, reset.then(|| Event::reset(None)), move |event| spelled(event, words)))
}
