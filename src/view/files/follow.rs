//! A growing file as a stream of whole lines that can be cut anywhere and goes on exactly there.

use std::{fmt, str::FromStr};

use crate::{
    fsx::{FsErrorKind, ReadFile, RelPath},
    tree::{Result, Tree},
};

/// So much is read at a time.
const CHUNK: u64 = 64 * 1024;
/// A line that is longer is told in pieces.
const LONGEST: u64 = 1024 * 1024;

/// A place in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileCursor {
    /// Bytes that were told.
    pub offset: u64,
    /// Whether the end was told.
    pub done: bool,
}

/// A text that is no cursor of a file's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor of a file's stream")]
pub struct BadFileCursor;

/// Some whole lines, or a piece of a very long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePiece {
    /// Offset of its first byte.
    pub from: u64,
    /// Offset behind its last one.
    pub to: u64,
    /// The text, its line ends included; bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// Reads one file forwards.
#[derive(Debug)]
pub struct FileReader {
    tree: Tree,
    rel: RelPath,
    file: Option<ReadFile>,
    at: u64,
}

impl fmt::Display for FileCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o={}{}", self.offset, if self.done { ";done" } else { "" })
    }
}

impl FromStr for FileCursor {
    type Err = BadFileCursor;

    fn from_str(text: &str) -> std::result::Result<Self, BadFileCursor> {
        let offset = text.strip_prefix("o=").ok_or(BadFileCursor)?;
        let (offset, done) = match offset.strip_suffix(";done") {
            Some(offset) => (offset, true),
            None => (offset, false),
        };
        Ok(Self { offset: offset.parse().map_err(|_| BadFileCursor)?, done })
    }
}

impl FileReader {
    /// A reader that begins at an offset.
    #[must_use]
    pub fn new(tree: Tree, rel: RelPath, at: u64) -> Self {
        Self { tree, rel, file: None, at }
    }

    /// Present length of the file; 0 if it is not there yet.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn size(&self) -> Result<u64> {
        Ok(self.tree.root().stat(&self.rel)?.map_or(0, |s| s.len))
    }

    /// Where the next piece begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The next lines; `None`: nothing new is there. A line without an end is one once the file grows no more.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn read(&mut self, growth: Growth) -> Result<Option<FilePiece>> {
        if self.file.is_none() {
            self.file = match self.tree.root().open_read(&self.rel) {
                Ok(file) => Some(file),
                Err(e) if e.kind() == FsErrorKind::NotFound => None,
                Err(e) => return Err(e.into()),
            };
        }
        let Some(file) = &self.file else { return Ok(None) };
        let mut want = CHUNK;
        let bytes = loop {
            let mut bytes = file.read_range(self.at, self.at + want)?;
            let full = bytes.len() as u64 == want;
            match bytes.iter().rposition(|b| *b == b'\n') {
                Some(end) if full || growth == Growth::Open => bytes.truncate(end + 1),
                None if full && want < LONGEST => {
                    want = (want * 4).min(LONGEST);
                    continue;
                }
                None if full => bytes.truncate(boundary(&bytes)),
                None if growth == Growth::Open => bytes.clear(),
                _ => {}
            }
            break bytes;
        };
        if bytes.is_empty() {
            return Ok(None);
        }
        let from = self.at;
        self.at += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Some(FilePiece { from, to: self.at, text }))
    }
}

/// Whether a file may still grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// It may.
    Open,
    /// It is as long as it will ever be.
    Over,
}

/// Where a piece may end without cutting a character in two.
fn boundary(bytes: &[u8]) -> usize {
    let lead = bytes.iter().rposition(|b| b & 0xC0 != 0x80).unwrap_or(0);
    match std::str::from_utf8(&bytes[lead..]) {
        Err(e) if e.error_len().is_none() && lead > 0 => lead,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, fsx::Durability};

    #[test]
    fn whole_lines_are_told_and_what_is_unfinished_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let rel = RelPath::new("f").unwrap();
        let mut reader = FileReader::new(tree.clone(), rel.clone(), 0);
        assert_eq!(reader.read(Growth::Open).unwrap(), None, "it is not there yet");
        tree.root().replace(&rel, "a\nü\nhalf".as_bytes()).unwrap();
        let text = |piece: Option<FilePiece>| piece.map(|p| p.text);
        assert_eq!(text(reader.read(Growth::Open).unwrap()).as_deref(), Some("a\nü\n"));
        assert_eq!(reader.read(Growth::Open).unwrap(), None);
        assert_eq!(text(reader.read(Growth::Over).unwrap()).as_deref(), Some("half"));
        assert_eq!(reader.read(Growth::Over).unwrap(), None);

        let long = format!("{}\nend", "ü".repeat(700_001));
        tree.root().replace(&rel, format!("x{long}").as_bytes()).unwrap();
        let mut reader = FileReader::new(tree, rel, 1);
        let mut told = String::new();
        while let Some(piece) = reader.read(Growth::Over).unwrap() {
            assert_eq!(piece.to - piece.from, piece.text.len() as u64, "no character is cut");
            told.push_str(&piece.text);
        }
        assert!(told == long);
    }

    #[test]
    fn a_cursor_comes_back() {
        for cursor in [FileCursor::default(), FileCursor { offset: 7, done: true }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "7", "o=", "o=-1", "o=1;", "o=1;done;"] {
            assert_eq!(bad.parse::<FileCursor>(), Err(BadFileCursor), "{bad}");
        }
    }
}
