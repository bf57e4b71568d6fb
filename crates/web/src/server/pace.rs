//! The pace of a connection: how long it may be idle, how long a head may take to arrive, and how long a client may
//! leave an answer unread.
//!
//! The bytes that pass are noted as they pass; one timer per connection looks at the notes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The time limits of each connection.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// Time in which the head of a request must arrive, from its first byte on.
    pub head: Duration,
    /// Time for which a connection may be without a request.
    pub idle: Duration,
    /// Time for which a client may take no byte of an answer. A client that takes fewer than 4,096 bytes a second uses it
    /// up as well.
    pub write: Duration,
}

/// The bytes a second that a client must take of an answer, on average.
pub const SLOWEST: u64 = 4096;

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            // Longer than the 75 seconds for which clients and proxies commonly keep a connection for reuse: a request on
            // a connection that is just being closed would fail.
            idle: Duration::from_secs(90),
            write: Duration::from_mins(1),
        }
    }
}

/// The notes about one connection.
#[derive(Debug)]
pub(super) struct Pace {
    limits: TimeLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The time at which the phase began, or the last byte passed while it is idle.
    since: Instant,
    /// The time by which the client must have taken all that waits for it, if anything waits.
    write_by: Option<Instant>,
    head: HeadScan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is no request.
    Idle,
    /// The head of a request is arriving.
    Head,
    /// A request is being answered.
    Busy,
}

/// A request that is being answered, until its answer has been sent.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Pace>);

impl Pace {
    pub(super) fn new(limits: TimeLimits) -> Arc<Self> {
        let state =
            State { phase: Phase::Idle, since: Instant::now(), write_by: None, head: HeadScan::default() };
        Arc::new(Self { limits, state: Mutex::new(state) })
    }

    /// Notes bytes from the client.
    pub(super) fn read(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if bytes.is_empty() || state.phase == Phase::Busy {
            return;
        }
        if state.phase == Phase::Idle {
            (state.phase, state.since, state.head) = (Phase::Head, Instant::now(), HeadScan::default());
        }
        state.head.feed(bytes);
    }

    /// Notes that the client took bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        let now = Instant::now();
        if state.phase == Phase::Idle {
            state.since = now;
        }
        if let Some(by) = &mut state.write_by {
            let earned = Duration::from_millis(bytes as u64 * 1000 / SLOWEST);
            *by = (*by + earned).min(now + self.limits.write);
        }
    }

    /// Notes that the client takes no more bytes now.
    pub(super) fn is_full(&self) {
        self.lock().write_by.get_or_insert_with(|| Instant::now() + self.limits.write);
    }

    /// Notes that nothing waits for the client.
    pub(super) fn is_flushed(&self) {
        self.lock().write_by = None;
    }

    /// Notes that a request is complete and is being answered. Returns true as well if its head states the length of
    /// the body in two ways.
    pub(super) fn answer(self: &Arc<Self>) -> (Exchange, bool) {
        let mut state = self.lock();
        state.phase = Phase::Busy;
        let twice = std::mem::take(&mut state.head).states_length_twice();
        drop(state);
        (Exchange(self.clone()), twice)
    }

    /// Waits until a limit is exceeded.
    pub(super) async fn exceeded(&self) {
        loop {
            let now = Instant::now();
            let deadline = self.deadline();
            if deadline.is_some_and(|at| at <= now) {
                return;
            }
            // Every new deadline is at least as far away as the shortest limit. So a look in this interval misses none,
            // and no byte needs to wake this timer.
            let look = now + self.limits.head.min(self.limits.idle).min(self.limits.write);
            tokio::time::sleep_until(deadline.map_or(look, |at| at.min(look))).await;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let phase = match state.phase {
            Phase::Idle => Some(state.since + self.limits.idle),
            Phase::Head => Some(state.since + self.limits.head),
            Phase::Busy => None,
        };
        [phase, state.write_by].into_iter().flatten().min()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.phase, state.since) = (Phase::Idle, Instant::now());
    }
}

/// Finds the two headers that state the length of a body. The HTTP library removes one of them where both are given,
/// so the guard would see a request that looks sound.
#[derive(Debug, Default)]
struct HeadScan {
    /// The beginning of the current line, up to its colon.
    name: Vec<u8>,
    part: HeadPart,
    lines: usize,
    has_length: bool,
    has_encoding: bool,
}

/// The part of a head that the next byte belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum HeadPart {
    /// A name, or the first line.
    #[default]
    Name,
    /// The rest of a line, after its first colon.
    Value,
    /// None: the head is complete.
    Over,
}

const LENGTH: &[u8] = b"content-length";
const ENCODING: &[u8] = b"transfer-encoding";

impl HeadScan {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match (self.part, byte) {
                (HeadPart::Over, _) => return,
                (part, b'\n') => {
                    // Empty lines before a request do not count.
                    let is_blank = part == HeadPart::Name && self.name.is_empty();
                    self.part = if is_blank && self.lines > 0 { HeadPart::Over } else { HeadPart::Name };
                    self.lines += usize::from(!is_blank);
                    self.name.clear();
                }
                (_, b'\r') => {}
                (HeadPart::Name, b':') => {
                    self.part = HeadPart::Value;
                    self.has_length |= self.name.eq_ignore_ascii_case(LENGTH);
                    self.has_encoding |= self.name.eq_ignore_ascii_case(ENCODING);
                }
                // A longer name is none of the two.
                (HeadPart::Name, byte) if self.name.len() <= ENCODING.len() => self.name.push(*byte),
                _ => {}
            }
        }
    }

    fn states_length_twice(&self) -> bool {
        self.has_length && self.has_encoding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exceeded_after(pace: &Pace) -> Duration {
        let began = Instant::now();
        pace.exceeded().await;
        began.elapsed()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_lives_longer_than_a_head_may_take() {
        let limits = TimeLimits::default();
        assert!(limits.idle > seconds(75));
        let pace = Pace::new(limits);
        tokio::time::advance(seconds(80)).await;
        pace.read(b"GET / HT");
        assert_eq!(exceeded_after(&pace).await.as_secs(), limits.head.as_secs());

        let (exchange, _) = pace.answer();
        let waits = tokio::time::timeout(seconds(3600), pace.exceeded()).await;
        assert!(waits.is_err(), "an answer may take any time to be made");
        drop(exchange);
        assert_eq!(exceeded_after(&pace).await.as_secs(), limits.idle.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_must_take_its_answer() {
        let limits = TimeLimits::default();
        let pace = Pace::new(limits);
        let (_exchange, _) = pace.answer();
        pace.is_full();
        assert_eq!(exceeded_after(&pace).await.as_secs(), limits.write.as_secs());

        pace.is_flushed();
        pace.is_full();
        // One byte now and then earns almost nothing.
        for _ in 0..limits.write.as_secs() - 1 {
            tokio::time::advance(seconds(1)).await;
            pace.wrote(1);
        }
        assert!(exceeded_after(&pace).await < seconds(2));

        pace.is_flushed();
        pace.is_full();
        // A slow line is enough.
        for _ in 0..600 {
            tokio::time::advance(seconds(1)).await;
            pace.wrote(5000);
        }
        assert!(exceeded_after(&pace).await > seconds(50));
    }

    #[test]
    fn two_lengths_in_a_head_are_seen_in_any_spelling_and_order() {
        let head = |lines: &str| format!("\r\nPOST /a:b HTTP/1.1\r\n{lines}\r\n\r\nTransfer-Encoding: x\r\n");
        for (lines, twice) in [
            ("Host: a", false),
            ("Content-Length: 5", false),
            ("Transfer-Encoding: chunked", false),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", true),
            ("transfer-encoding: chunked\r\nHost: a\r\nCONTENT-LENGTH: 5", true),
            ("X-Content-Length: 5\r\nTransfer-Encoding: chunked", false),
            ("A: Content-Length: 5\r\nTransfer-Encoding: chunked", false),
            ("Content-Length: 5\nTransfer-Encoding: chunked", true),
        ] {
            let head = head(lines);
            for at in 0..head.len() {
                let mut scan = HeadScan::default();
                let (first, rest) = head.as_bytes().split_at(at);
                scan.feed(first);
                scan.feed(rest);
                assert_eq!(scan.states_length_twice(), twice, "{lines:?}, cut at {at}");
            }
        }
    }
}
