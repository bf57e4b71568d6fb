//! Panics: a request that meets a bug is answered and counted, and affects nothing else.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::StatusCode;
use warp::reply::Response;

use super::super::{
    counters::Counters,
    error::{Error, Result},
};

/// Returns the answer, or 500 if making it panics. The hook of the process writes the panic itself to the log.
pub(super) async fn catch(counters: &Counters, answer: impl Future<Output = Response>) -> Result<Response> {
    // Requests share only state behind locks that tolerate a panic.
    if let Ok(response) = AssertUnwindSafe(answer).catch_unwind().await {
        return Ok(response);
    }
    counters.panicked();
    Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, "this request met a bug; the daemon's log has it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::blocking;

    #[tokio::test]
    async fn a_panic_is_answered_and_counted() {
        let counters = Counters::default();
        let fine = catch(&counters, async { Response::default() }).await;
        assert_eq!((fine.unwrap().status(), counters.panics()), (StatusCode::OK, 0));

        let bug = |caught: Result<Response>| caught.unwrap_err().status;
        let at_once = async { panic!("a bug in a handler") };
        assert_eq!(bug(catch(&counters, at_once).await), StatusCode::INTERNAL_SERVER_ERROR);
        let elsewhere = async { blocking::run(|| -> Response { panic!("a bug on another thread") }).await };
        assert_eq!(bug(catch(&counters, elsewhere).await), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(counters.panics(), 2);
    }
}
