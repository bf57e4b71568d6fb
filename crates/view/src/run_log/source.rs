//! The lines of one growing file, each with its time.

use chrono::{DateTime, Utc};

use super::marks::Marks;
use crate::files::Growing;
use base::fsx::{RelPath, Root};
use tree::Result;

/// Number of bytes that are read at once.
const CHUNK: u64 = 64 * 1024;
/// A longer line is sent in pieces.
const LONGEST: u64 = 1024 * 1024;

/// A line, or a piece of a very long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Offset after the piece, its newline included.
    pub(super) end: u64,
    pub(super) time: DateTime<Utc>,
    pub(super) text: String,
    pub(super) continues: bool,
}

/// Reads one file forwards.
#[derive(Debug)]
pub(super) struct Source {
    rel: RelPath,
    file: Growing,
    marks: Marks,
    /// Offset of the first byte of the buffer.
    at: u64,
    buffer: Vec<u8>,
    /// Number of bytes of the buffer that were taken.
    taken: usize,
    next: Option<Piece>,
}

impl Source {
    pub(super) fn new(rel: RelPath, at: u64, marks: Marks) -> Self {
        Self { file: Growing::new(rel.clone()), rel, marks, at, buffer: Vec::new(), taken: 0, next: None }
    }

    /// The current length of the file.
    pub(super) fn size(&self, root: &Root) -> Result<u64> {
        Ok(root.stat(&self.rel)?.map_or(0, |s| s.len))
    }

    /// Returns the time of the next piece, if there is one. An unterminated line counts once the run has ended.
    pub(super) fn peek(
        &mut self,
        root: &Root,
        ended: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        if self.next.is_none() {
            self.next = self.find(root, ended, now)?;
        }
        Ok(self.next.as_ref().map(|p| p.time))
    }

    /// Returns the piece that [`Self::peek`] found.
    pub(super) fn take(&mut self) -> Option<Piece> {
        self.next.take()
    }

    fn find(&mut self, root: &Root, ended: bool, now: DateTime<Utc>) -> Result<Option<Piece>> {
        let mut want = CHUNK;
        loop {
            if self.needs_more() && self.begins_anew(root)? {
                // The agent has cut its output: its unfinished line will not be continued.
                let text = String::from_utf8_lossy(&self.buffer[self.taken..]).into_owned();
                (self.at, self.taken) = (0, 0);
                self.buffer.clear();
                if !text.is_empty() {
                    return Ok(Some(Piece { end: 0, time: now, text, continues: false }));
                }
            }
            let rest = &self.buffer[self.taken..];
            let newline = rest.iter().position(|b| *b == b'\n');
            let (len, skip, continues) = match newline {
                Some(len) => (len, 1, false),
                None if rest.len() as u64 >= LONGEST => (boundary(rest), 0, true),
                None if self.fill(root, want)? => {
                    want = (want * 4).min(LONGEST);
                    continue;
                }
                None => match self.buffer.len() - self.taken {
                    0 => return Ok(None),
                    len if ended => (len, 0, false),
                    _ => return Ok(None),
                },
            };
            let text = String::from_utf8_lossy(&self.buffer[self.taken..self.taken + len]).into_owned();
            self.taken += len + skip;
            let end = self.at + self.taken as u64;
            let time = self.marks.time_of(root, end)?.unwrap_or(now);
            return Ok(Some(Piece { end, time, text, continues }));
        }
    }

    /// Returns true if the buffer has no whole line.
    fn needs_more(&self) -> bool {
        !self.buffer[self.taken..].contains(&b'\n')
    }

    /// Returns true if the file does not continue the bytes that were read.
    fn begins_anew(&mut self, root: &Root) -> Result<bool> {
        self.file.begins_anew(root, self.at + self.buffer.len() as u64, None)
    }

    /// Reads at least one more byte into the buffer. Returns false if there is none.
    fn fill(&mut self, root: &Root, want: u64) -> Result<bool> {
        let Some(file) = self.file.open(root)? else { return Ok(false) };
        self.buffer.drain(..self.taken);
        self.at += self.taken as u64;
        self.taken = 0;
        let from = self.at + self.buffer.len() as u64;
        let more = file.read_range(from, from + want)?;
        self.buffer.extend_from_slice(&more);
        Ok(!more.is_empty())
    }
}

/// Returns the position at which a piece may end without splitting a character.
fn boundary(bytes: &[u8]) -> usize {
    let lead = bytes.iter().rposition(|b| b & 0xC0 != 0x80).unwrap_or(0);
    let tail = &bytes[lead..];
    match std::str::from_utf8(tail) {
        Err(e) if e.error_len().is_none() && tail.len() < 4 && lead > 0 => lead,
        _ => bytes.len(),
    }
}
