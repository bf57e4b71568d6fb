//! Reads whole lines of an append-only file, forwards from an offset and backwards from the end.
//!
//! A line is complete when its newline is present. Bytes after the last newline are not a line yet. The reader decides
//! how long a line may be: of a line longer than [`LineReader::keeping`] allows, only the beginning is held in memory.

use std::io::BufRead;

use super::{error::Result, read::ReadFile};

/// One line with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Byte offset of its first byte.
    pub offset: u64,
    /// Its length in bytes, without the newline.
    pub len: u64,
    /// Its bytes, without the newline. Only the first bytes if the reader keeps no more.
    pub bytes: Vec<u8>,
}

impl Line {
    /// Returns the offset after the newline.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.len + 1
    }

    /// Returns true if `bytes` is the whole line.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.len
    }
}

/// Consecutive complete lines that were passed over as one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedLines {
    /// Byte offset of the first line.
    pub offset: u64,
    /// Length in bytes, with all newlines.
    pub len: u64,
    /// Number of lines.
    pub lines: u64,
    /// True if all lines consist of white space.
    pub is_blank: bool,
}

/// Reads complete lines.
#[derive(Debug, Clone, Copy)]
pub struct LineReader<'a> {
    file: &'a ReadFile,
    keep: u64,
}

const MIN_CHUNK: u64 = 4096;
const MAX_CHUNK: u64 = 256 * 1024;

impl<'a> LineReader<'a> {
    /// Creates a reader for the lines of a file.
    #[must_use]
    pub fn new(file: &'a ReadFile) -> Self {
        Self { file, keep: u64::MAX }
    }

    /// Limits the bytes that are held of each line to the first `bytes`.
    #[must_use]
    pub fn keeping(self, bytes: u64) -> Self {
        Self { keep: bytes, ..self }
    }

    /// Returns the offset after the last newline before `end`, where the unfinished line begins.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn complete_until(&self, end: u64) -> Result<u64> {
        self.start_of(end)
    }

    /// Returns the offset of the first byte of the line that contains the byte at `offset`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn start_of(&self, offset: u64) -> Result<u64> {
        Ok(Window::default().newline_before(self.file, offset)?.map_or(0, |at| at + 1))
    }

    /// Returns the complete line that starts at `offset`, if its newline is before `end`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn at(&self, offset: u64, end: u64) -> Result<Option<Line>> {
        self.forward(offset, end).next_line()
    }

    /// Returns the last complete line that ends at or before `end`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn before(&self, end: u64) -> Result<Option<Line>> {
        self.backward(end).previous_line()
    }

    /// Returns the offset of the first line that starts at or after `offset`.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn start_from(&self, offset: u64, end: u64) -> Result<Option<u64>> {
        if offset == 0 {
            return Ok(Some(0));
        }
        Ok(self.keeping(0).at(offset - 1, end)?.map(|l| l.end()))
    }

    /// Returns the complete lines from `offset`, which must be the start of a line, up to `end`.
    #[must_use]
    pub fn forward(&self, offset: u64, end: u64) -> Forward<'a> {
        Forward { reader: *self, end, next: offset, buffer: Vec::new(), taken: 0, chunk: MIN_CHUNK }
    }

    /// Returns the complete lines before `end`, the last one first.
    #[must_use]
    pub fn backward(&self, end: u64) -> Backward<'a> {
        Backward { reader: *self, end, window: Window::default() }
    }
}

/// An iterator over lines in file order.
#[derive(Debug)]
pub struct Forward<'a> {
    reader: LineReader<'a>,
    end: u64,
    next: u64,
    buffer: Vec<u8>,
    /// Number of bytes in the buffer that belong to lines already returned.
    taken: usize,
    chunk: u64,
}

impl Forward<'_> {
    /// Passes over the next lines, many bytes at a time, up to the line in which `find` finds something. `find` gets
    /// lines and the beginning of one more, and returns the position of the byte. Returns `None` if it finds something in
    /// the next line, or that line is very long or not complete.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn pass_until(&mut self, find: impl Fn(&[u8]) -> Option<usize>) -> Result<Option<PassedLines>> {
        let mut block = PassedLines { offset: self.next, len: 0, lines: 0, is_blank: true };
        loop {
            let rest = &self.buffer[self.taken..];
            let found = find(rest);
            let free = &rest[..found.unwrap_or(rest.len())];
            if let Some(last) = memchr::memrchr(b'\n', free) {
                let lines = &free[..=last];
                block.len += lines.len() as u64;
                block.lines += newlines(lines);
                block.is_blank = block.is_blank && lines.iter().all(u8::is_ascii_whitespace);
                self.taken += lines.len();
                self.next += lines.len() as u64;
            } else if self.taken == 0 && !rest.is_empty() {
                // A line that does not end in a whole buffer, or the last one.
                break;
            }
            // The rest of the buffer is the beginning of a line, which is read again as a whole.
            if found.is_some() || !self.fill(self.next)? {
                break;
            }
        }
        Ok((block.len > 0).then_some(block))
    }

    fn next_line(&mut self) -> Result<Option<Line>> {
        let mut line = Line { offset: self.next, len: 0, bytes: Vec::new() };
        loop {
            if self.taken == self.buffer.len() && !self.fill(line.offset + line.len)? {
                return Ok(None);
            }
            let rest = &self.buffer[self.taken..];
            let newline = first_newline(rest);
            let part = &rest[..newline.unwrap_or(rest.len())];
            let keep = index(self.reader.keep.saturating_sub(line.len)).min(part.len());
            line.bytes.extend_from_slice(&part[..keep]);
            line.len += part.len() as u64;
            self.taken += part.len();
            if newline.is_some() {
                self.taken += 1;
                self.next = line.end();
                return Ok(Some(line));
            }
        }
    }

    /// Continues to read at `offset`. Returns `false` at the end.
    fn fill(&mut self, offset: u64) -> Result<bool> {
        let to = self.end.min(offset + self.chunk);
        // The buffer is used again, because new memory for each chunk costs as much as the read.
        self.buffer.resize(index(to.saturating_sub(offset)), 0);
        let mut got = 0;
        while got < self.buffer.len() {
            match self.reader.file.read_at(&mut self.buffer[got..], offset + got as u64)? {
                0 => break,
                n => got += n,
            }
        }
        self.buffer.truncate(got);
        self.taken = 0;
        self.chunk = (self.chunk * 2).min(MAX_CHUNK);
        Ok(!self.buffer.is_empty())
    }
}

impl Iterator for Forward<'_> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// An iterator over lines in reverse file order.
#[derive(Debug)]
pub struct Backward<'a> {
    reader: LineReader<'a>,
    end: u64,
    window: Window,
}

impl Backward<'_> {
    fn previous_line(&mut self) -> Result<Option<Line>> {
        let file = self.reader.file;
        let Some(newline) = self.window.newline_before(file, self.end)? else { return Ok(None) };
        let offset = self.window.newline_before(file, newline)?.map_or(0, |at| at + 1);
        let len = newline - offset;
        let bytes = self.window.read(file, offset, offset + len.min(self.reader.keep))?;
        self.end = offset;
        Ok(Some(Line { offset, len, bytes }))
    }
}

impl Iterator for Backward<'_> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.previous_line().transpose()
    }
}

/// A part of the file in memory, so that short lines do not need a read each.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn newline_before(&mut self, file: &ReadFile, end: u64) -> Result<Option<u64>> {
        let mut end = end;
        while end > 0 {
            if end <= self.start || end > self.end() {
                // Twice as many bytes as the last time, so that a long line needs few reads.
                let chunk = (self.bytes.len() as u64 * 2).clamp(MIN_CHUNK, MAX_CHUNK);
                self.start = end.saturating_sub(chunk);
                self.bytes = file.read_range(self.start, end)?;
            }
            // The window ends before `end` only if the file was truncated in the meantime.
            let upto = index(end - self.start).min(self.bytes.len());
            if let Some(at) = last_newline(&self.bytes[..upto]) {
                return Ok(Some(self.start + at as u64));
            }
            end = self.start;
        }
        Ok(None)
    }

    fn read(&self, file: &ReadFile, from: u64, to: u64) -> Result<Vec<u8>> {
        if self.start <= from && to <= self.end() {
            Ok(self.bytes[index(from - self.start)..index(to - self.start)].to_vec())
        } else {
            file.read_range(from, to)
        }
    }
}

/// Works like `position`, but on many bytes at a time: the standard library uses its `memchr` here.
fn first_newline(mut bytes: &[u8]) -> Option<usize> {
    let all = bytes;
    let last = bytes.skip_until(b'\n').ok()?.checked_sub(1)?;
    (all[last] == b'\n').then_some(last)
}

/// Works like `rposition`, but on many bytes at a time.
fn last_newline(bytes: &[u8]) -> Option<usize> {
    let mut start = bytes.len();
    for block in bytes.rchunks(512) {
        start -= block.len();
        if block.contains(&b'\n') {
            return block.iter().rposition(|b| *b == b'\n').map(|at| start + at);
        }
    }
    None
}

/// Counts the newlines. The sums of short pieces fit into a byte, so that the compiler adds many of them at a time.
fn newlines(bytes: &[u8]) -> u64 {
    let of_piece = |piece: &[u8]| u64::from(piece.iter().map(|b| u8::from(*b == b'\n')).sum::<u8>());
    bytes.chunks(255).map(of_piece).sum()
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsx::{Durability, RelPath, Root};
    use proptest::prelude::*;

    fn with_file<T>(bytes: &[u8], test: impl FnOnce(&ReadFile) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::create(dir.path(), Durability::Never).unwrap();
        let rel = RelPath::new("f").unwrap();
        root.replace(&rel, bytes).unwrap();
        test(&root.open_read(&rel).unwrap())
    }

    /// Returns each complete line with its offset, by splitting.
    fn model(bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut offset = 0;
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            if let Some(line) = part.strip_suffix(b"\n") {
                lines.push(Line { offset, len: line.len() as u64, bytes: line.to_vec() });
            }
            offset += part.len() as u64;
        }
        lines
    }

    /// Generates lines with lengths around the chunk sizes, and short ones.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![8 => 0_usize..40, 1 => 4090_usize..4100, 1 => 8000_usize..20_000];
        (proptest::collection::vec((length, any::<u8>()), 0..40), 0_usize..5).prop_map(|(lines, torn)| {
            let mut bytes = Vec::new();
            for (n, fill) in lines {
                bytes.extend(std::iter::repeat_n(if fill == b'\n' { b'x' } else { fill }, n));
                bytes.push(b'\n');
            }
            bytes.extend(std::iter::repeat_n(b't', torn));
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn both_ways_see_the_lines_that_splitting_sees(bytes in texts(), keep in 0_u64..6000) {
            let lines = model(&bytes);
            with_file(&bytes, |file| {
                let (reader, size) = (LineReader::new(file), bytes.len() as u64);
                let forward: Vec<_> = reader.forward(0, size).map(Result::unwrap).collect();
                prop_assert_eq!(&forward, &lines);
                let mut backward: Vec<_> = reader.backward(size).map(Result::unwrap).collect();
                backward.reverse();
                prop_assert_eq!(&backward, &lines);
                prop_assert_eq!(reader.complete_until(size).unwrap(), lines.last().map_or(0, Line::end));
                let heads: Vec<_> = reader.keeping(keep).forward(0, size).map(Result::unwrap).collect();
                let tails: Vec<_> = reader.keeping(keep).backward(size).map(Result::unwrap).collect();
                prop_assert!(heads.iter().eq(tails.iter().rev()));
                for (head, line) in heads.iter().zip(&lines) {
                    let n = line.bytes.len().min(index(keep));
                    prop_assert_eq!(&head.bytes, &line.bytes[..n]);
                    prop_assert_eq!((head.offset, head.len), (line.offset, line.len));
                    prop_assert_eq!(head.is_whole(), n == line.bytes.len());
                }
                Ok(())
            })?;
        }

        #[test]
        fn blocks_and_the_lines_between_them_are_all_lines(bytes in texts(), byte in any::<u8>()) {
            let lines = model(&bytes);
            with_file(&bytes, |file| {
                let mut forward = LineReader::new(file).forward(0, bytes.len() as u64);
                let mut rest = &lines[..];
                loop {
                    if let Some(block) = forward.pass_until(|bytes| memchr::memchr(byte, bytes)).unwrap() {
                        let (passed, after) = rest.split_at(index(block.lines));
                        let first = passed.first().map(|l| l.offset);
                        prop_assert_eq!(first, Some(block.offset));
                        prop_assert_eq!(passed.last().map(Line::end), Some(block.offset + block.len));
                        prop_assert!(passed.iter().all(|l| !l.bytes.contains(&byte)));
                        let blank = passed.iter().all(|l| l.bytes.iter().all(u8::is_ascii_whitespace));
                        prop_assert_eq!(block.is_blank, blank);
                        rest = after;
                    }
                    let Some(line) = forward.next() else { break };
                    prop_assert_eq!(Some(&line.unwrap()), rest.first());
                    rest = &rest[1..];
                }
                prop_assert!(rest.is_empty());
                Ok(())
            })?;
        }

        #[test]
        fn every_offset_belongs_to_a_line(bytes in texts(), at in any::<proptest::sample::Index>()) {
            prop_assume!(!bytes.is_empty());
            let at = at.index(bytes.len()) as u64;
            let lines = model(&bytes);
            let size = bytes.len() as u64;
            with_file(&bytes, |file| {
                let reader = LineReader::new(file);
                let own = lines.iter().find(|l| l.offset <= at && at < l.end());
                let start = own.map_or_else(|| lines.last().map_or(0, Line::end), |l| l.offset);
                prop_assert_eq!(reader.start_of(at).unwrap(), start);
                prop_assert_eq!(reader.before(at).unwrap(), lines.iter().rfind(|l| l.end() <= at).cloned());
                let next = lines.iter().map(|l| l.offset).chain(lines.last().map(Line::end)).find(|o| *o >= at);
                prop_assert_eq!(reader.start_from(at, size).unwrap(), if at == 0 { Some(0) } else { next });
                if let Some(own) = own {
                    prop_assert_eq!(reader.at(own.offset, size).unwrap(), Some(own.clone()));
                }
                Ok(())
            })?;
        }
    }
}
