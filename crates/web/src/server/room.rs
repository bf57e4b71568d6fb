//! Room for an answer: a large answer takes a share of the memory of all answers, and keeps it until the client has it.

use std::{sync::Arc, time::Duration};

use hyper::body::Body as _;
use warp::reply::Response;

use super::super::{
    error::{Error, Result},
    live::Live,
};

/// Size up to which an answer takes no share: the buffers of its connection are as large.
const FREE: u64 = 64 * 1024;
/// Maximum time that a finished answer waits for its share.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the answer with its share of the memory. Answers in pieces take theirs piece by piece.
///
/// # Errors
/// 503 if clients that do not read their answers leave no room for this one.
pub(super) async fn within(live: &Live, mut response: Response) -> Result<Response> {
    let size = response.body().size_hint().exact().unwrap_or(0);
    if size <= FREE {
        return Ok(response);
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let share = if let Some(share) = live.answers.try_take(size) {
        share
    } else {
        // The answer exists already, so those that wait have a limit of their own.
        let full = || Error::busy("the daemon is sending too many large answers; try again");
        let _waits = live.finished.try_take(size).ok_or_else(full)?;
        tokio::time::timeout(PATIENCE, live.answers.take(size)).await.map_err(|_| full())?
    };
    response.extensions_mut().insert(Arc::new(share));
    Ok(response)
}
