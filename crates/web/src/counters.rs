//! The server's own counts: requests, panics, and streams.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use http::{Method, StatusCode};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    panics: AtomicU64,
    streams: AtomicI64,
    events: AtomicU64,
    bytes: AtomicU64,
}

/// The totals of all streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Open now.
    pub open: u64,
    /// Events sent.
    pub events: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// A stream that is open while this lives.
#[derive(Debug)]
pub(super) struct OpenStream(Arc<Counters>);

impl Counters {
    /// Counts an answer.
    pub(super) fn count(&self, method: &Method, status: StatusCode) {
        let key = (word(method), status.as_u16());
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    }

    /// Counts a request that met a bug.
    pub(super) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a stream as open until the returned value is dropped.
    pub(super) fn stream(self: &Arc<Self>) -> OpenStream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        OpenStream(self.clone())
    }

    /// Answers, by method and status.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<(&'static str, u16), u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that met a bug.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// The totals of all streams.
    #[must_use]
    pub fn streams(&self) -> Streams {
        Streams {
            open: u64::try_from(self.streams.load(Ordering::Relaxed)).unwrap_or(0),
            events: self.events.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl OpenStream {
    /// Counts an event that is sent on it.
    pub(super) fn sent(&self, bytes: usize) {
        self.0.events.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The method, if it is a known one: a client must not make up labels.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}
