//! A file as numbered lines: their offsets, some of them, and those that contain a text.
//!
//! Nothing is remembered between two requests: a client names the offset of the first line that it wants, as the
//! index reported it. So a log of 100 MB takes one pass over its bytes, and then only the shown lines are read.

use memchr::{memchr_iter, memmem::Finder};

use super::part::{Extent, Opened};
use base::fsx::LineReader;
use tree::Result;

/// Maximum number of bytes of a file in memory at once.
const CHUNK: u64 = 1 << 20;
/// Maximum number of offsets of an index.
pub const MOST_OFFSETS: usize = 100_000;
/// Number of bytes of shown text after which no further line is shown.
pub const MOST_TEXT: u64 = 1 << 20;

/// The offsets of a file's lines. A line counts once it is terminated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineIndex {
    /// Number of complete lines.
    pub lines: u64,
    /// Offset of the byte after the last one.
    pub end: u64,
    /// The number of lines between two offsets.
    pub every: u64,
    /// Offsets of the first bytes of line 0, of line `every`, of line 2 × `every`, ….
    pub offsets: Vec<u64>,
}

/// A line, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownLine {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its length in bytes, without its end.
    pub length: u64,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// A line that contains the searched text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its number; 0 is the first.
    pub line: u64,
    /// Offset of its first byte.
    pub offset: u64,
}

/// The treatment of upper and lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `A` equals `a`, for the letters of ASCII.
    Ignored,
    /// `A` differs from `a`.
    Counts,
}

/// The lines that contain a text, up to a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches {
    /// The first ones.
    pub matches: Vec<Match>,
    /// True if there are others.
    pub more: bool,
}

impl LineIndex {
    /// Adds the offset of the next line.
    fn add(&mut self) {
        if self.offsets.len() == MOST_OFFSETS {
            let mut n = 0_usize;
            self.offsets.retain(|_| {
                n += 1;
                n % 2 == 1
            });
            self.every = self.every.saturating_mul(2);
        }
        // After doubling, the line may be one of those that were just left out.
        if self.lines.is_multiple_of(self.every) {
            self.offsets.push(self.end);
        }
    }
}

impl Opened {
    /// Counts the lines, and returns the offset of every `every`-th. If these would be too many, `every` is doubled until
    /// they fit.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn line_index(&self, every: u64) -> Result<LineIndex> {
        let mut index = LineIndex { lines: 0, end: 0, every: every.max(1), offsets: Vec::new() };
        let mut from = 0;
        while from < self.size {
            let bytes = self.bytes(Extent { from, to: from + CHUNK })?;
            if bytes.is_empty() {
                break;
            }
            for at in memchr_iter(b'\n', &bytes) {
                if index.lines.is_multiple_of(index.every) {
                    index.add();
                }
                index.lines += 1;
                index.end = from + at as u64 + 1;
            }
            from += bytes.len() as u64;
        }
        Ok(index)
    }

    /// Returns at most `limit` complete lines from `offset` on, which must be the start of a line. Each line has its
    /// first `width` bytes. No line follows once the text has [`MOST_TEXT`] bytes.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn lines(&self, offset: u64, limit: usize, width: u64) -> Result<Vec<ShownLine>> {
        let lines = LineReader::new(self.file()).keeping(width).forward(offset, self.size).take(limit);
        let mut bytes = 0;
        let lines = lines.take_while(move |line| {
            let fits = bytes < MOST_TEXT;
            bytes += line.as_ref().map_or(0, |line| line.bytes.len() as u64);
            fits
        });
        let shown = lines.map(|line| {
            let line = line?;
            let whole = line.is_whole();
            let mut text = String::from_utf8_lossy(&line.bytes).into_owned();
            // Removes a character that was split by the limit.
            while !whole && text.ends_with('\u{FFFD}') {
                text.pop();
            }
            Ok(ShownLine { offset: line.offset, length: line.len, text })
        });
        shown.collect()
    }

    /// Returns the first `limit` lines that contain a text. The text must not be empty or contain a line end.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn lines_with(&self, text: &str, case: Case, limit: usize) -> Result<Matches> {
        let mut needle = text.as_bytes().to_vec();
        if case == Case::Ignored {
            needle.make_ascii_lowercase();
        }
        let finder = Finder::new(&needle);
        let mut found = Matches { matches: Vec::new(), more: false };
        // The number and the start of the line in which `counted` lies.
        let (mut line, mut start, mut counted) = (0, 0, 0);
        let mut from = 0;
        while from < self.size && !needle.is_empty() {
            let mut bytes = self.bytes(Extent { from, to: from + CHUNK })?;
            let to = from + bytes.len() as u64;
            // The next piece overlaps this one, so that a match across the border is found.
            let next = if to >= self.size { to } else { to - (needle.len() as u64 - 1).min(to - from) };
            if next <= from {
                break;
            }
            if case == Case::Ignored {
                bytes.make_ascii_lowercase();
            }
            let mut count_until = |offset: u64, line: &mut u64, start: &mut u64| {
                let part = &bytes[place(counted - from)..place(offset - from)];
                for at in memchr_iter(b'\n', part) {
                    *line += 1;
                    *start = counted + at as u64 + 1;
                }
                counted = offset;
            };
            for at in finder.find_iter(&bytes) {
                count_until(from + at as u64, &mut line, &mut start);
                if found.matches.last().is_some_and(|m| m.line == line) {
                    continue;
                }
                if found.matches.len() == limit {
                    found.more = true;
                    return Ok(found);
                }
                found.matches.push(Match { line, offset: start });
            }
            count_until(next, &mut line, &mut start);
            from = next;
        }
        Ok(found)
    }
}

/// A position within a piece, which fits into memory.
fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{
        clock::Clock,
        fsx::{Durability, RelPath},
    };
    use tree::Tree;

    fn opened(content: &[u8]) -> Opened {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let rel = RelPath::new("f").unwrap();
        tree.root().replace(&rel, content).unwrap();
        Opened::open(&tree, &rel).unwrap()
    }

    #[test]
    fn every_so_many_lines_have_a_place() {
        for (content, lines, end, offsets) in [
            ("", 0, 0, vec![]),
            ("a", 0, 0, vec![]),
            ("a\n", 1, 2, vec![0]),
            ("a\nbb\n\nc\nd", 4, 8, vec![0, 5]),
        ] {
            let index = opened(content.as_bytes()).line_index(2).unwrap();
            assert_eq!(index, LineIndex { lines, end, every: 2, offsets }, "{content:?}");
        }
    }

    #[test]
    fn a_large_file_has_the_same_lines() {
        let mut content = Vec::new();
        for n in 0..200_000 {
            content.extend_from_slice(format!("line {n} äöü\n").as_bytes());
        }
        let file = opened(&content);
        let index = file.line_index(512).unwrap();
        assert_eq!((index.lines, index.end), (200_000, content.len() as u64));
        let lines = file.lines(index.offsets[300], 2, 8).unwrap();
        assert_eq!(lines[0].text, "line 153");
        assert_eq!(lines[1].offset, lines[0].offset + lines[0].length + 1);
        let found = file.lines_with("LINE 15360", Case::Ignored, 100).unwrap();
        assert_eq!(found.matches[0], Match { line: 15360, offset: index.offsets[30] });
        assert_eq!(found.matches.len(), 11, "and 153600 to 153609");
        assert_eq!(file.lines_with("LINE", Case::Counts, 100).unwrap().matches, []);
        let first = file.lines_with("äöü", Case::Ignored, 3).unwrap();
        assert!(first.more && first.matches.len() == 3);
    }

    #[test]
    fn an_index_and_a_page_of_lines_have_an_end() {
        let lines = 3 * MOST_OFFSETS + 7;
        let index = opened("\n".repeat(lines).as_bytes()).line_index(1).unwrap();
        assert_eq!((index.lines, index.every), (lines as u64, 4));
        let places: Vec<u64> = (0..lines as u64).step_by(4).collect();
        assert!(index.offsets == places, "{} offsets", index.offsets.len());

        let line = format!("{}\n", "x".repeat(1000));
        let file = opened(line.repeat(5000).as_bytes());
        let shown = file.lines(0, 5000, 4000).unwrap();
        assert_eq!(shown.len() as u64, MOST_TEXT.div_ceil(1000));
        let next = shown.last().map(|l| l.offset + l.length + 1).unwrap();
        assert_eq!(file.lines(next, 1, 10).unwrap()[0].offset, next, "the rest follows from there");
    }

    #[test]
    fn a_match_across_two_pieces_is_found_once_and_a_long_line_is_cut() {
        let mut content = vec![b'x'; place(CHUNK) - 3];
        content.extend_from_slice(b"needle and needle\nneedle\n");
        content.extend_from_slice("é".repeat(100).as_bytes());
        content.push(b'\n');
        let file = opened(&content);
        let found = file.lines_with("needle", Case::Counts, 9).unwrap().matches;
        assert_eq!(found.iter().map(|m| m.line).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(file.lines(0, 1, 10).unwrap()[0].text, "x".repeat(10));
        let cut = &file.lines(found[1].offset + 7, 1, 5).unwrap()[0];
        assert_eq!((cut.text.as_str(), cut.length), ("éé", 200));
    }
}
