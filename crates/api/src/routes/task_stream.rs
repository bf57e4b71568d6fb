//! `…/tasks/{t}/runs/stream`: the output of all runs of a task, including future runs.

use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, Param, READ, get, text},
    error::Result,
    stream::{TaskRunsSource, follow as stream, spelled},
    wire,
};
use tree::refs::TaskRef;

const AFTER: Param = text::<String>("after", "The id of an event: the stream begins behind it");

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = "/api/projects/{project_id}/tasks/{task_id}/runs/stream";
    vec![
        get(READ, path, "Follow what all runs of a task print, those that are yet to come too")
            .params(&[AFTER])
            .events::<wire::TaskLogEvent>("What the runs have printed, and what they print")
            .errors(&[404, 503])
            .map(follow),
    ]
}

fn follow(call: &Call, task: &TaskRef) -> Result<Response> {
    let api = &call.api;
    api.task(task)?;
    let (place, reset) = call.cursor(&AFTER)?;
    Ok(stream(api, TaskRunsSource::new(api, task, place.unwrap_or_default()), reset, spelled))
}
