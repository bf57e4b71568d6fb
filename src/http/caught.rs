//! A request that meets a bug of ours: it is answered and counted, and takes nothing with it.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::StatusCode;
use warp::reply::Response;

use super::{counters::Counters, error::HttpError};

/// The answer that is made; 500 where making it panics. The panic itself is in the log: the hook of the process writes it.
pub(super) async fn caught(counters: &Counters, answer: impl Future<Output = Response>) -> Response {
    // What it may have left half done is its own: all that requests share is behind locks that do not mind a panic.
    if let Ok(response) = AssertUnwindSafe(answer).catch_unwind().await {
        return response;
    }
    counters.panicked();
    let text = "this request met a bug; the daemon's log has it";
    HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking;

    #[tokio::test]
    async fn a_panic_is_answered_and_counted() {
        let counters = Counters::default();
        let fine = caught(&counters, async { Response::default() }).await;
        assert_eq!((fine.status(), counters.panics()), (StatusCode::OK, 0));

        let at_once = async { panic!("a bug in a handler") };
        assert_eq!(caught(&counters, at_once).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let elsewhere = async {
            let made =
                blocking::run(|| -> Result<Response, HttpError> { panic!("a bug on another thread") }).await;
            made.unwrap_or_default()
        };
        assert_eq!(caught(&counters, elsewhere).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(counters.panics(), 2);
    }
}
