//! A file in the form for a bundle: of the same length, with its secrets overwritten.

use std::io::{self, Read};

use base::{fsx::ReadFile, telemetry::Redactor};

/// Number of bytes that are masked at a time, extended to the end of the line.
const BLOCK: u64 = 1024 * 1024;
/// The longest line that is masked in one piece.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Reads a file up to a length, masked.
pub(super) struct Masked<'a> {
    file: &'a ReadFile,
    redactor: &'a Redactor,
    with: u8,
    next: u64,
    end: u64,
    block: Vec<u8>,
    taken: usize,
    overwritten: u64,
}

impl<'a> Masked<'a> {
    pub(super) fn new(file: &'a ReadFile, end: u64, redactor: &'a Redactor, with: u8) -> Self {
        Self { file, redactor, with, next: 0, end, block: Vec::new(), taken: 0, overwritten: 0 }
    }

    /// Returns the number of bytes masked so far.
    pub(super) fn masked(&self) -> u64 {
        self.overwritten
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut want = BLOCK;
        let bytes = loop {
            let mut bytes = self
                .file
                .read_range(self.next, self.end.min(self.next + want))
                .map_err(|e| io::Error::other(e.to_string()))?;
            // A file that was truncated in the meantime is padded, because the archive already contains its length.
            let missing = self.end.min(self.next + want) - self.next - bytes.len() as u64;
            bytes.extend(std::iter::repeat_n(b'\n', usize::try_from(missing).unwrap_or(0)));
            let last = self.next + bytes.len() as u64 == self.end;
            match bytes.iter().rposition(|b| *b == b'\n') {
                _ if last => break bytes,
                Some(at) => {
                    bytes.truncate(at + 1);
                    break bytes;
                }
                None if want >= LONGEST => break bytes,
                None => want *= 2,
            }
        };
        self.next += bytes.len() as u64;
        self.block.clear();
        self.taken = 0;
        for chunk in bytes.utf8_chunks() {
            self.block.extend_from_slice(self.redactor.mask(chunk.valid(), self.with).as_bytes());
            self.block.extend_from_slice(chunk.invalid());
        }
        self.overwritten += bytes.iter().zip(&self.block).filter(|(a, b)| a != b).count() as u64;
        Ok(())
    }
}

impl Read for Masked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && self.next < self.end {
            self.fill()?;
        }
        let rest = &self.block[self.taken..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}
