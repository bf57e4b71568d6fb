//! `/api/v1/runs/stream/all`: the changes of all runs.

use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, LAST_EVENT_ID, Param, READ, get, text},
    error::Result,
    stream::{AllRunsSource, follow as stream, spelled},
    wire,
};

const AFTER: Param = text::<String>("after", "The id of an event: the stream begins behind it");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/runs/stream/all", "Follow what happens to any run")
            .params(&[AFTER])
            .events::<wire::RunChange>(
                "What changes; first all runs that have not ended, or what has changed since",
            )
            .errors(&[503])
            .map(|call, (): &()| follow(call)),
    ]
}

fn follow(call: &Call) -> Result<Response> {
    let api = &call.api;
    api.ready()?;
    let place = call.header(&LAST_EVENT_ID)?.or(call.query.text(&AFTER)?);
    Ok(stream(api, AllRunsSource::new(api, place), None, spelled))
}
