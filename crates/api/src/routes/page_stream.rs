//! `/api/v1/stream`: everything that a page follows, as one stream.

use warp::reply::Response;

use crate::{
    endpoint::{Call, Endpoint, Param, READ, bad, get, text},
    error::{HttpError, Result},
    stream::{Topic, page},
    wire,
};
use web::sse;

/// Maximum number of topics of one stream.
const MOST: usize = 200;

const TOPICS: Param = text::<String>(
    "topics",
    "The topics to follow, separated by commas, at most 200; `docs/stream.md` lists them",
)
.required();
const AFTER: Param = text::<String>("after", "The id of an event: the stream begins after it");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/v1/stream", "Follow several topics in one stream")
            .params(&[TOPICS, AFTER])
            .events::<wire::TopicEvent>("The current state of each topic, then its changes")
            .errors(&[503])
            .map(|call, (): &()| follow(call)),
    ]
}

fn follow(call: &Call) -> Result<Response> {
    let api = &call.api;
    api.ready()?;
    let topics: Vec<Topic> = call.query.words(&TOPICS)?;
    if topics.is_empty() {
        return Err(HttpError::bad_request(
            "the parameter topics is missing; docs/stream.md lists the topics",
        ));
    }
    if topics.len() > MOST {
        return Err(bad(
            &TOPICS,
            &format!("there are {} topics, and at most {MOST} are allowed", topics.len()),
        ));
    }
    let (cursor, reset) = call.cursor(&AFTER)?;
    Ok(sse::respond(&api.live, page(api, topics, cursor.unwrap_or_default(), reset)))
}
