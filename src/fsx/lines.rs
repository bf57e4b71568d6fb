//! Whole lines of an append-only file, forwards from an offset and backwards from the end.

use super::{error::Result, read::ReadFile};

/// One line with the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Byte offset of its first byte.
    pub offset: u64,
    /// Its bytes, without the newline.
    pub bytes: Vec<u8>,
}

impl Line {
    /// Offset of the byte behind the newline.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64 + 1
    }
}

/// Reads complete lines; what follows the last newline is not a line yet.
#[derive(Debug)]
pub struct LineReader<'a> {
    file: &'a ReadFile,
}

const CHUNK: u64 = 64 * 1024;

impl<'a> LineReader<'a> {
    /// Looks at a file through its lines.
    #[must_use]
    pub fn new(file: &'a ReadFile) -> Self {
        Self { file }
    }

    /// Offset behind the last newline before `end`: where the unfinished line begins.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn complete_until(&self, end: u64) -> Result<u64> {
        Ok(self.newline_before(end)?.map_or(0, |at| at + 1))
    }

    /// The complete line that starts at `offset`, if its newline stands before `end`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn at(&self, offset: u64, end: u64) -> Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut chunk = 4096;
        loop {
            let from = offset + bytes.len() as u64;
            let part = self.file.read_range(from, end.min(from + chunk))?;
            if let Some(at) = part.iter().position(|b| *b == b'\n') {
                bytes.extend_from_slice(&part[..at]);
                return Ok(Some(Line { offset, bytes }));
            }
            if part.is_empty() {
                return Ok(None);
            }
            bytes.extend_from_slice(&part);
            chunk = (chunk * 2).min(16 * CHUNK);
        }
    }

    /// The last complete line that ends at or before `end`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn before(&self, end: u64) -> Result<Option<Line>> {
        let Some(newline) = self.newline_before(end)? else { return Ok(None) };
        let offset = self.newline_before(newline)?.map_or(0, |at| at + 1);
        Ok(Some(Line { offset, bytes: self.file.read_range(offset, newline)? }))
    }

    /// Offset of the first line that starts at or behind `offset`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn start_from(&self, offset: u64, end: u64) -> Result<Option<u64>> {
        if offset == 0 {
            return Ok(Some(0));
        }
        let line = self.at(offset - 1, end)?;
        Ok(line.map(|l| l.end()))
    }

    fn newline_before(&self, end: u64) -> Result<Option<u64>> {
        let mut end = end;
        let mut chunk = 4096;
        while end > 0 {
            let from = end.saturating_sub(chunk);
            let part = self.file.read_range(from, end)?;
            if let Some(at) = part.iter().rposition(|b| *b == b'\n') {
                return Ok(Some(from + at as u64));
            }
            end = from;
            chunk = (chunk * 2).min(16 * CHUNK);
        }
        Ok(None)
    }
}
