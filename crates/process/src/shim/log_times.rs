//! `log-times.jsonl`: which part of the agent's output existed at which time, so that a replay has true timestamps.

use std::{
    fmt::Write as _,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use chrono::Utc;

use super::super::identity::Ticks;
use base::{
    clock::rfc3339,
    fsx::{ReadFile, RelPath, Root},
    names,
};

/// Shortest time between two marks, so that an agent that floods its output does not cause a wake-up per write.
const RESOLUTION: Duration = Duration::from_millis(25);

/// Detects growth of the agent's output and writes marks about it.
#[derive(Debug)]
pub(super) struct LogTimes {
    streams: [Stream; 2],
    /// `None` after the disk refused a write: marks are only a help, and must not fail the run.
    out: Option<OwnedFd>,
    last_output: Instant,
    last_mark: Option<Instant>,
    /// The time of the first output on stdout.
    first_output: Option<Ticks>,
}

#[derive(Debug)]
struct Stream {
    name: &'static str,
    file: Option<ReadFile>,
    seen: u64,
}

impl LogTimes {
    pub(super) fn new(root: &Root, dir: &RelPath) -> Self {
        let stream = |name, file: &str| Stream { name, file: root.open_read(&dir.join(file)).ok(), seen: 0 };
        Self {
            streams: [stream("stdout", names::run::STDOUT), stream("stderr", names::run::STDERR)],
            out: root.open_append(&dir.join(names::run::LOG_TIMES)).ok(),
            last_output: Instant::now(),
            last_mark: None,
            first_output: None,
        }
    }

    /// Marks new output, unless the last mark is too recent.
    pub(super) fn mark(&mut self) {
        if self.muted_until().is_none() {
            self.last_mark();
        }
    }

    /// Marks new output.
    pub(super) fn last_mark(&mut self) {
        let grown: Vec<(&str, u64)> = self.streams.iter_mut().filter_map(Stream::changed).collect();
        if grown.is_empty() {
            return;
        }
        // Taken after the sizes, so that no mark is older than its bytes.
        let (time, now) = (rfc3339(Utc::now()), Instant::now());
        if self.first_output.is_none() && self.streams[0].seen > 0 {
            self.first_output = Some(Ticks::now().minus(self.streams[0].age()));
        }
        let mut lines = String::new();
        for (name, size) in grown {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{{\"stream\":\"{name}\",\"offset\":{size},\"time\":\"{time}\"}}");
        }
        self.last_output = now;
        self.last_mark = Some(now);
        let written = self.out.as_ref().map(|out| rustix::io::write(out, lines.as_bytes()));
        if !matches!(written, Some(Ok(n)) if n == lines.len()) {
            self.out = None;
        }
    }

    /// Returns the time of the agent's last output, or of its start if there is none.
    pub(super) fn last_output(&self) -> Instant {
        self.last_output
    }

    /// Returns the time of the agent's first output on stdout.
    pub(super) fn first_output(&self) -> Option<Ticks> {
        self.first_output
    }

    /// Returns the size of stdout.
    pub(super) fn stdout(&self) -> u64 {
        let [stdout, _] = &self.streams;
        stdout.size()
    }

    /// Returns the time until which growth is ignored, if a mark was written a moment ago.
    pub(super) fn muted_until(&self) -> Option<Instant> {
        self.last_mark.map(|at| at + RESOLUTION).filter(|until| *until > Instant::now())
    }
}

impl Stream {
    fn size(&self) -> u64 {
        self.file.as_ref().and_then(|f| f.size().ok()).unwrap_or(0)
    }

    /// Returns the time since the last change, which this process may notice late on a busy machine. A clock that
    /// disagrees with that of the file system shortens or lengthens it.
    fn age(&self) -> Duration {
        let modified = self.file.as_ref().and_then(|f| f.modified_ns().ok());
        let now = Utc::now().timestamp_nanos_opt().map(i128::from);
        let nanos = now.zip(modified).map_or(0, |(now, modified)| now - modified);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// Returns the name and the new size of a stream that has changed its size since the last call.
    ///
    /// A smaller size means that the agent has truncated its own file, as `> /dev/stdout` does. Marks continue from
    /// there.
    fn changed(&mut self) -> Option<(&'static str, u64)> {
        let size = self.size();
        let changed = size != self.seen;
        self.seen = size;
        changed.then_some((self.name, size))
    }
}
