//! `/api/v1/runs/{id}/stream`: the output of a run and its end, from the beginning or from a cursor.

use warp::reply::Response;

use super::runs::find;
use crate::{
    endpoint::{Call, Endpoint, Param, READ, get, text},
    error::Result,
    stream::{RunSource, follow as stream, spelled},
    wire,
};
use tree::ids::RunId;
use web::sse;

const AFTER: Param = text::<String>("after", "The id of an event: the stream begins behind it");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/runs/{run_id}/stream", "Follow what a run prints")
            .params(&[AFTER])
            .events::<wire::LogEvent>("What the run has printed, what it prints, and its end")
            .no_content("Everything was received, up to the end")
            .errors(&[404, 503])
            .then(follow),
    ]
}

async fn follow(call: Call, id: RunId) -> Result<Response> {
    let run = find(&call.api, &id)?.run.clone();
    let (place, reset) = call.cursor(&AFTER)?;
    let mut source = RunSource::new(&call.api, &run, place.unwrap_or_default());
    if source.is_over().await? {
        return Ok(sse::over());
    }
    Ok(stream(&call.api, source, reset, spelled))
}
