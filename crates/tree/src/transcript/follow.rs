//! Reads a run's stream from the end of its events: the lines of `agent-stdout.txt` that are not in `events.jsonl` yet.

use super::{
    dialect::Dialect,
    line::{LONGEST_LINE, events_of_line},
};
use crate::{Result, event::Event, paths::RunDir};
use base::fsx::{LineReader, ReadFile, Root, if_file};

/// Approximate number of bytes of raw lines that are turned into events at a time.
const BATCH: u64 = 1024 * 1024;

/// Says if the stream may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The agent may still write. Bytes after the last newline are not a line yet.
    Open,
    /// No process writes any more. Bytes after the last newline are a line, too.
    Ended,
}

/// A position in a run's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follower {
    dialect: Dialect,
    /// Offset of the next line.
    next: u64,
    /// Number of events of that line that are known already.
    known: u32,
}

impl Follower {
    /// Returns the beginning of a stream.
    #[must_use]
    pub fn start(dialect: Dialect) -> Self {
        Self { dialect, next: 0, known: 0 }
    }

    /// Returns the position after this event.
    #[must_use]
    pub fn after(dialect: Dialect, event: &Event) -> Self {
        if event.part < event.parts {
            Self { dialect, next: event.offset, known: event.part }
        } else {
            Self { dialect, next: event.end(), known: 0 }
        }
    }

    /// Returns the position at which the events of a run end on disk.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn resume(dialect: Dialect, root: &Root, run: &RunDir) -> Result<Self> {
        let last = last_event(root, run)?;
        Ok(last.map_or_else(|| Self::start(dialect), |event| Self::after(dialect, &event)))
    }

    /// Returns the events of the next lines, in order (lines may produce none); `None` if the stream has no further
    /// line now.
    ///
    /// # Errors
    /// If the stream cannot be read.
    pub fn read(&mut self, root: &Root, run: &RunDir, stream: Stream) -> Result<Option<Vec<Event>>> {
        if self.dialect == Dialect::Text {
            return Ok(None);
        }
        let Some(file) = open(root, &run.stdout())? else { return Ok(None) };
        let size = file.size()?;
        let from = self.next;
        let mut events = Vec::new();
        for line in LineReader::new(&file).keeping(LONGEST_LINE).forward(from, size) {
            let line = line?;
            self.take(line.offset, line.len + 1, &line.bytes, &mut events);
            if self.next - from >= BATCH {
                return Ok(Some(events));
            }
        }
        if stream == Stream::Ended && self.next < size {
            let rest = file.read_range(self.next, size.min(self.next + LONGEST_LINE))?;
            self.take(self.next, size - self.next, &rest, &mut events);
        }
        Ok((self.next > from).then_some(events))
    }

    fn take(&mut self, offset: u64, length: u64, bytes: &[u8], events: &mut Vec<Event>) {
        let known = std::mem::take(&mut self.known);
        let heard = events_of_line(self.dialect, offset, length, bytes);
        events.extend(heard.into_iter().filter(|event| event.part > known));
        self.next = offset + length;
    }
}

/// Returns the last event of a run that is on disk.
///
/// # Errors
/// If the file cannot be read.
pub fn last_event(root: &Root, run: &RunDir) -> Result<Option<Event>> {
    let Some(file) = open(root, &run.events())? else { return Ok(None) };
    let mut end = file.size()?;
    let lines = LineReader::new(&file);
    while let Some(line) = lines.before(end)? {
        // A line that a dead writer left incomplete is skipped. The line before it has the last event.
        if let Ok(event) = serde_json::from_slice::<Event>(&line.bytes) {
            return Ok(Some(event));
        }
        end = line.offset;
    }
    Ok(None)
}

/// Calls `take` for every event of a run: first those on disk, then those of the rest of the stream.
///
/// # Errors
/// If a file cannot be read.
pub fn all_events(dialect: Dialect, root: &Root, run: &RunDir, mut take: impl FnMut(&Event)) -> Result<()> {
    let mut follower = Follower::start(dialect);
    if let Some(file) = open(root, &run.events())? {
        for line in LineReader::new(&file).forward(0, file.size()?) {
            if let Ok(event) = serde_json::from_slice::<Event>(&line?.bytes) {
                take(&event);
                follower = Follower::after(dialect, &event);
            }
        }
    }
    while let Some(events) = follower.read(root, run, Stream::Ended)? {
        events.iter().for_each(&mut take);
    }
    Ok(())
}

fn open(root: &Root, rel: &base::fsx::RelPath) -> Result<Option<ReadFile>> {
    Ok(if_file(root.open_read(rel))?)
}
