//! Many readers of one stream, in one thread: the events that reached each reader, and their delay.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    Result,
    times::{Times, now},
};

/// The mark around the time in the sent text.
const MARK: &str = "at=";
/// A reader counts as up to date after this time without a new event.
const CALM: Duration = Duration::from_millis(500);

/// Returns a text that contains the current time.
pub fn stamp() -> String {
    format!("{MARK}{}=", now())
}

/// Readers of a stream.
pub struct Subscribers {
    shared: Arc<Shared>,
    thread: JoinHandle<io::Result<Vec<u64>>>,
    count: usize,
}

#[derive(Default)]
struct Shared {
    opened: AtomicUsize,
    bytes: AtomicUsize,
    delivered: AtomicUsize,
    enough: AtomicBool,
}

impl Subscribers {
    /// Opens the stream `count` times. Returns when every reader has its answer and is up to date.
    pub fn open(port: u16, path: &str, count: usize) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (theirs, path) = (shared.clone(), path.to_owned());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(all(port, path, count, theirs))
        });
        let subscribers = Self { shared, thread, count };
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut heard = usize::MAX;
        while subscribers.shared.opened.load(Ordering::Relaxed) < count || heard != subscribers.bytes() {
            if Instant::now() > deadline || subscribers.thread.is_finished() {
                return Err("the subscribers did not get their streams".into());
            }
            heard = subscribers.bytes();
            thread::sleep(CALM);
        }
        Ok(subscribers)
    }

    fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Waits until every reader has received `events` stamped events, at most for `limit`. Returns their number and
    /// delays.
    pub fn hear(self, events: usize, limit: Duration) -> Result<(usize, Times)> {
        let expected = events * self.count;
        let deadline = Instant::now() + limit;
        while self.shared.delivered.load(Ordering::Relaxed) < expected && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let times = Times::new(self.close()?);
        Ok((times.len(), times))
    }

    /// Closes the connections.
    pub fn close(self) -> Result<Vec<u64>> {
        self.shared.enough.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the subscribers panicked")??)
    }
}

async fn all(port: u16, path: String, count: usize, shared: Arc<Shared>) -> io::Result<Vec<u64>> {
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..count {
        readers.spawn(one(port, path.clone(), shared.clone()));
    }
    let mut late = Vec::new();
    while let Some(reader) = readers.join_next().await {
        late.extend(reader.map_err(io::Error::other)??);
    }
    Ok(late)
}

async fn one(port: u16, path: String, shared: Arc<Shared>) -> io::Result<Vec<u64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut late, mut text, mut opened) = (Vec::new(), Vec::new(), false);
    let mut buffer = vec![0; 16 * 1024];
    while !shared.enough.load(Ordering::Relaxed) {
        let read = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer)).await;
        let Ok(read) = read else { continue };
        let (n, at) = (read?, now());
        if n == 0 {
            break;
        }
        shared.bytes.fetch_add(n, Ordering::Relaxed);
        text.extend_from_slice(&buffer[..n]);
        if !opened {
            if !text.starts_with(b"HTTP/1.1 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&text).into_owned()));
            }
            opened = true;
            shared.opened.fetch_add(1, Ordering::Relaxed);
        }
        let before = late.len();
        let used = stamps(&text, |stamp| late.push(at.saturating_sub(stamp)));
        text.drain(..used);
        shared.delivered.fetch_add(late.len() - before, Ordering::Relaxed);
    }
    Ok(late)
}

/// Finds the stamps in whole lines, and returns the number of processed bytes.
fn stamps(text: &[u8], mut found: impl FnMut(u64)) -> usize {
    let Some(end) = text.iter().rposition(|b| *b == b'\n') else { return 0 };
    for line in text[..end].split(|b| *b == b'\n').filter(|l| l.starts_with(b"data:")) {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let digits = line.split_once(MARK).and_then(|(_, rest)| rest.split_once('='));
        if let Some(stamp) = digits.and_then(|(digits, _)| digits.parse().ok()) {
            found(stamp);
        }
    }
    end + 1
}
