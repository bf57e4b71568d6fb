//! A growing file as a stream of whole lines that can be cut anywhere and continues exactly there.

use std::{fmt, str::FromStr};

use super::growing::Growing;
use base::fsx::{FsErrorKind, LineReader, RelPath};
use tree::{Result, Tree};

/// Number of bytes that are read at once.
const CHUNK: u64 = 64 * 1024;
/// A longer line is sent in pieces.
const LONGEST: u64 = 1024 * 1024;

/// A position in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileCursor {
    /// Number of bytes that were sent.
    pub offset: u64,
    /// The inode of the file that they came from: the file may have been replaced since.
    pub inode: Option<u64>,
    /// True if the end was sent.
    pub done: bool,
}

/// A text that is not a cursor of a file's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of a file's stream")]
pub struct BadFileCursor;

/// Some whole lines, or a piece of a very long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePiece {
    /// Offset of its first byte.
    pub from: u64,
    /// Offset after its last byte.
    pub to: u64,
    /// The text, its line ends included; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Reads one file forwards.
#[derive(Debug)]
pub struct FileReader {
    tree: Tree,
    rel: RelPath,
    file: Growing,
    at: FileCursor,
}

impl fmt::Display for FileCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o={}", self.offset)?;
        if let Some(inode) = self.inode {
            write!(f, ";i={inode}")?;
        }
        f.write_str(if self.done { ";done" } else { "" })
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
        let (offset, inode) = match offset.split_once(";i=") {
            Some((offset, inode)) => (offset, Some(inode.parse().map_err(|_| BadFileCursor)?)),
            None => (offset, None),
        };
        Ok(Self { offset: offset.parse().map_err(|_| BadFileCursor)?, inode, done })
    }
}

/// Returns the offset of the first whole line within the last `bytes` bytes of a file. If the last line is longer and
/// unfinished, returns the offset of its last `bytes` bytes.
///
/// # Errors
/// If the disk fails.
pub fn start_of_tail(tree: &Tree, rel: &RelPath, bytes: u64) -> Result<u64> {
    let file = match tree.root().open_read(rel) {
        Ok(file) => file,
        Err(e) if e.kind() == FsErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e.into()),
    };
    let size = file.size()?;
    let from = size.saturating_sub(bytes);
    if let Some(start) = LineReader::new(&file).start_from(from, size)? {
        return Ok(start);
    }
    let cut = file.read_range(from, from + 3)?.into_iter().take_while(|b| b & 0xC0 == 0x80).count();
    Ok(from + cut as u64)
}

impl FileReader {
    /// Creates a reader that starts at a position.
    #[must_use]
    pub fn new(tree: Tree, rel: RelPath, at: FileCursor) -> Self {
        Self { tree, file: Growing::new(rel.clone()), rel, at }
    }

    /// Returns the current length of the file; 0 if the file does not exist yet.
    ///
    /// # Errors
    /// If the path is not a file, or the disk fails.
    pub fn size(&self) -> Result<u64> {
        match self.tree.root().open_read(&self.rel) {
            Err(e) if e.kind() == FsErrorKind::NotFound => Ok(0),
            opened => Ok(opened?.size()?),
        }
    }

    /// The position of the next piece.
    #[must_use]
    pub fn position(&self) -> FileCursor {
        self.at
    }

    /// Returns true if the file was replaced since the last read, or became shorter. The reader then starts at its
    /// beginning.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn has_been_replaced(&mut self) -> Result<bool> {
        if !self.file.begins_anew(self.tree.root(), self.at.offset, self.at.inode)? {
            return Ok(false);
        }
        let told = self.at.offset > 0;
        self.at = FileCursor::default();
        Ok(told)
    }

    /// Returns the next lines; `None` if there is nothing new. An unterminated line counts once the file cannot grow
    /// any more.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn read(&mut self, growth: Growth) -> Result<Option<FilePiece>> {
        let Some(file) = self.file.open(self.tree.root())? else { return Ok(None) };
        self.at.inode = Some(file.inode()?);
        let at = self.at.offset;
        let mut want = CHUNK;
        let bytes = loop {
            let mut bytes = file.read_range(at, at + want)?;
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
        self.at.offset += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Some(FilePiece { from: at, to: self.at.offset, text }))
    }
}

/// States if a file may still grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// It may grow.
    Open,
    /// It has its final length.
    Over,
}

/// Returns the position at which a piece may end without splitting a character.
pub(super) fn boundary(bytes: &[u8]) -> usize {
    let lead = bytes.iter().rposition(|b| b & 0xC0 != 0x80).unwrap_or(0);
    match std::str::from_utf8(&bytes[lead..]) {
        Err(e) if e.error_len().is_none() && lead > 0 => lead,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};

    #[test]
    fn whole_lines_are_told_and_what_is_unfinished_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let rel = RelPath::new("f").unwrap();
        let mut reader = FileReader::new(tree.clone(), rel.clone(), FileCursor::default());
        assert_eq!(reader.read(Growth::Open).unwrap(), None, "it is not there yet");
        tree.root().replace(&rel, "a\nü\nhalf".as_bytes()).unwrap();
        let text = |piece: Option<FilePiece>| piece.map(|p| p.text);
        assert_eq!(text(reader.read(Growth::Open).unwrap()).as_deref(), Some("a\nü\n"));
        assert_eq!(reader.read(Growth::Open).unwrap(), None);
        assert_eq!(text(reader.read(Growth::Over).unwrap()).as_deref(), Some("half"));
        assert_eq!(reader.read(Growth::Over).unwrap(), None);

        let long = format!("{}\nend", "ü".repeat(700_001));
        tree.root().replace(&rel, format!("x{long}").as_bytes()).unwrap();
        let begin = FileCursor { offset: 1, ..FileCursor::default() };
        let mut reader = FileReader::new(tree, rel, begin);
        let mut told = String::new();
        while let Some(piece) = reader.read(Growth::Over).unwrap() {
            assert_eq!(piece.to - piece.from, piece.text.len() as u64, "no character is cut");
            told.push_str(&piece.text);
        }
        assert!(told == long);
    }

    #[test]
    fn a_file_that_was_replaced_is_told_anew() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let rel = RelPath::new("f").unwrap();
        let mut reader = FileReader::new(tree.clone(), rel.clone(), FileCursor::default());
        tree.root().replace(&rel, b"one\ntwo\n").unwrap();
        assert!(!reader.has_been_replaced().unwrap() && reader.read(Growth::Open).unwrap().is_some());
        let position = reader.position();
        assert!(!reader.has_been_replaced().unwrap());
        tree.root().replace(&rel, b"three\nfour\nfive\n").unwrap();
        assert!(reader.has_been_replaced().unwrap());
        assert_eq!(reader.read(Growth::Open).unwrap().unwrap().text, "three\nfour\nfive\n");
        let mut later = FileReader::new(tree, rel, position);
        assert!(later.has_been_replaced().unwrap(), "also by who was away");
    }

    #[test]
    fn a_tail_is_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let rel = RelPath::new("f").unwrap();
        assert_eq!(start_of_tail(&tree, &rel, 5).unwrap(), 0, "it is not there yet");
        tree.root().replace(&rel, "one\ntwo\nün".as_bytes()).unwrap();
        for (bytes, start) in
            [(0, 11), (1, 10), (2, 10), (3, 8), (6, 8), (7, 4), (8, 4), (10, 4), (11, 0), (99, 0)]
        {
            assert_eq!(start_of_tail(&tree, &rel, bytes).unwrap(), start, "{bytes}");
        }
    }

    #[test]
    fn a_cursor_comes_back() {
        for (offset, inode, done) in
            [(0, None, false), (7, None, true), (7, Some(9), false), (7, Some(9), true)]
        {
            let cursor = FileCursor { offset, inode, done };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "7", "o=", "o=-1", "o=1;", "o=1;done;", "o=1;i=;done", "o=1;done;i=1"] {
            assert_eq!(bad.parse::<FileCursor>(), Err(BadFileCursor), "{bad}");
        }
    }
}
