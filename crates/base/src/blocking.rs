//! Work that waits for a disk or a lock, done away from the threads of the async runtime.
//!
//! A runtime has a few threads, and all requests, timers and drives share them. A call that a hung network file system
//! or a held lock keeps for minutes must therefore never run on one of them. This is the only file that hands such work
//! to the runtime's pool of blocking threads. The pool works under a runtime of one thread as well as of many.

use tokio::{runtime::Handle, task::spawn_blocking};

/// Runs `work` on a blocking thread and waits for its result.
///
/// Work that has begun runs to its end even if the returned future is dropped: dropping cancels the wait only, and the
/// result is dropped on the blocking thread.
///
/// # Panics
/// If `work` panics, with the same payload.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match caught(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Like [`run`], for a caller that goes on after a panic of `work`.
///
/// # Errors
/// The payload of the panic. The panic hook of the process has logged its message.
#[expect(clippy::disallowed_methods, reason = "the lint recommends this function")]
pub async fn caught<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::thread::Result<T> {
    match spawn_blocking(work).await {
        Ok(result) => Ok(result),
        Err(e) if e.is_panic() => Err(e.into_panic()),
        // The runtime shuts down and never began the work. It drops this future next, so no answer is needed.
        Err(_) => std::future::pending().await,
    }
}

/// Starts `work` and does not wait for it: on a blocking thread under a runtime, else on this thread.
#[expect(clippy::disallowed_methods, reason = "the lint recommends this function")]
pub fn start(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::AssertUnwindSafe,
        sync::mpsc::{Receiver, channel},
        time::Duration,
    };

    use futures_util::FutureExt;

    use super::{run, start};

    const LONG: Duration = Duration::from_secs(30);

    fn held(until: Receiver<()>) -> impl FnOnce() -> bool + Send + 'static {
        move || until.recv_timeout(LONG).is_ok()
    }

    #[tokio::test]
    async fn work_that_hangs_leaves_the_only_thread_of_a_runtime_free() {
        let (let_go, until) = channel();
        let mut hangs = Box::pin(run(held(until)));
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut hangs).await.is_err());
        let_go.send(()).unwrap();
        assert!(hangs.await);
    }

    #[tokio::test]
    async fn a_dropped_wait_does_not_cancel_the_work() {
        let ((let_go, until), (done, seen)) = (channel(), channel());
        let work = held(until);
        let wait = run(move || done.send(work()));
        assert!(tokio::time::timeout(Duration::from_millis(20), wait).await.is_err());
        let_go.send(()).unwrap();
        assert!(run(move || seen.recv_timeout(LONG).unwrap()).await);
    }

    #[tokio::test]
    async fn a_panic_reaches_the_waiting_caller() {
        let panic = AssertUnwindSafe(run(|| std::panic::resume_unwind(Box::new("bad")))).catch_unwind().await;
        assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"bad"));
    }

    #[test]
    fn without_a_runtime_the_caller_does_the_work_itself() {
        let here = std::thread::current().id();
        let (done, seen) = channel();
        start(move || done.send(std::thread::current().id()).unwrap());
        assert_eq!(seen.try_recv().unwrap(), here);
    }
}
