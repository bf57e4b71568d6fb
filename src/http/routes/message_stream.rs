//! The streams of buses, of `/api/v1/messages/stream` and of a project's or a task's: a bus from its beginning, or from behind a message, and then as it grows.

use warp::reply::Response;

use super::messages::{OWNER, owner};
use crate::{
    http::{
        endpoint::{Call, Endpoint, LAST_EVENT_ID, Param, Serve, get, one_of, text},
        error::Result,
        sse::Event,
        stream::{BusBegin, BusSource, follow as stream, spelled},
        wire,
    },
    tree::{bus::BusOwner, ids::MsgId},
};

const AFTER: Param = text::<MsgId>("after", "The id of a message: the stream begins behind it");
const SCOPE: Param = one_of("scope", &["own"], "A stream is of one bus; those of the tasks have their own");

pub(super) fn endpoints() -> Vec<Endpoint<Serve>> {
    let follows = |path, summary| {
        get(path, summary)
            .params(&[AFTER, SCOPE])
            .events::<wire::BusMessage>("The messages of the bus, and those that are posted to it")
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
    call.query.one_of(&SCOPE)?;
    let begin = match (call.header(&LAST_EVENT_ID)?, call.query.optional(&AFTER)?) {
        (Some(last), _) => BusBegin::Place(last.to_owned()),
        (None, Some(id)) => BusBegin::After(id),
        (None, None) => BusBegin::First,
    };
    let mut source = BusSource::new(&call.api, owner, begin);
    let reset = source.begin().await?.then(|| Event::reset(None));
    Ok(stream(&call.api, source, reset, spelled))
}
