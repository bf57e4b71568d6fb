//! The times at which bytes were written: the marks of `log-times.jsonl`, read forwards once.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::cursor::LogStream;
use base::fsx::{ReadFile, RelPath, Root};
use tree::{FsErrorKind, Result};

/// Number of bytes that are read at once.
const CHUNK: u64 = 64 * 1024;

/// The marks of one stream, from the last requested one on.
#[derive(Debug)]
pub(crate) struct Marks {
    rel: RelPath,
    stream: LogStream,
    file: Option<ReadFile>,
    /// Offset after the last complete line that was read.
    next: u64,
    ahead: VecDeque<(u64, DateTime<Utc>)>,
}

#[derive(Deserialize)]
struct Mark<'a> {
    stream: &'a str,
    offset: u64,
    time: DateTime<Utc>,
}

impl Marks {
    pub(crate) fn new(rel: RelPath, stream: LogStream) -> Self {
        Self { rel, stream, file: None, next: 0, ahead: VecDeque::new() }
    }

    /// Returns the time at which the byte before `end` was written; `None` if there is no mark for it yet. `end` must
    /// not decrease between calls.
    pub(crate) fn time_of(&mut self, root: &Root, end: u64) -> Result<Option<DateTime<Utc>>> {
        loop {
            while self.ahead.front().is_some_and(|(offset, _)| *offset < end) {
                self.ahead.pop_front();
            }
            if let Some((_, time)) = self.ahead.front() {
                return Ok(Some(*time));
            }
            if !self.read_on(root)? {
                return Ok(None);
            }
        }
    }

    /// Reads further marks. Returns false if there are none.
    fn read_on(&mut self, root: &Root) -> Result<bool> {
        if self.file.is_none() {
            self.file = open(root, &self.rel)?;
        }
        let Some(file) = &self.file else { return Ok(false) };
        let bytes = file.read_range(self.next, self.next + CHUNK)?;
        let Some(end) = bytes.iter().rposition(|b| *b == b'\n') else { return Ok(false) };
        for line in bytes[..end].split(|b| *b == b'\n') {
            if let Ok(mark) = serde_json::from_slice::<Mark<'_>>(line)
                && mark.stream == self.stream.as_str()
            {
                self.ahead.push_back((mark.offset, mark.time));
            }
        }
        self.next += end as u64 + 1;
        Ok(true)
    }
}

/// Opens a file that may not exist yet.
pub(super) fn open(root: &Root, rel: &RelPath) -> Result<Option<ReadFile>> {
    match root.open_read(rel) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == FsErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}
