//! A part of a file: by bytes, or its last lines.

use chrono::{DateTime, Utc};

use super::follow::boundary;
use base::fsx::{FsErrorKind, LineReader, ReadFile, RelPath};
use tree::{Result, Tree, TreeError};

/// The maximum size of a file's text in one answer, 16 MiB; ranges and streams have the rest.
pub const MAX_SHOWN: u64 = 16 << 20;

/// The last lines, this many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail(pub usize);

/// Bytes from one offset up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first byte.
    pub from: u64,
    /// The first byte after the extent.
    pub to: u64,
}

/// An open file, with its size at that time.
#[derive(Debug)]
pub struct Opened {
    file: ReadFile,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last change.
    pub modified: DateTime<Utc>,
}

impl Opened {
    /// Opens a file.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if it does not exist.
    pub fn open(tree: &Tree, rel: &RelPath) -> Result<Self> {
        let missing = || TreeError::NotFound { what: format!("file {}", rel.as_path().display()) };
        let file = match tree.root().open_read(rel) {
            Err(e) if e.kind() == FsErrorKind::NotFound => return Err(missing()),
            opened => opened?,
        };
        let modified = tree.root().stat(rel)?.ok_or_else(missing)?.modified_ns;
        let modified = i64::try_from(modified).map(DateTime::from_timestamp_nanos).unwrap_or_default();
        Ok(Self { size: file.size()?, file, modified })
    }

    pub(super) fn file(&self) -> &ReadFile {
        &self.file
    }

    /// Returns the bytes of an extent, as far as they exist.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn bytes(&self, extent: Extent) -> Result<Vec<u8>> {
        Ok(self.file.read_range(extent.from, extent.to.min(self.size))?)
    }

    /// Returns the offset from which the text, or its last lines, are shown: at most the last [`MAX_SHOWN`] bytes.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn start_of_text(&self, tail: Option<Tail>) -> Result<u64> {
        let mut from = self.size.saturating_sub(MAX_SHOWN);
        if let Some(tail) = tail {
            from = from.max(self.start_of_tail(tail)?);
        }
        if from == 0 {
            return Ok(0);
        }
        // The rest of a character that was split at the front is left out.
        let first = self.bytes(Extent { from, to: from + 4 })?;
        Ok(from + first.iter().take_while(|b| **b & 0xC0 == 0x80).count() as u64)
    }

    /// Returns the text of an extent, and the offset after it. The text may end up to three bytes early, so that no
    /// character is split.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn text(&self, extent: Extent) -> Result<(String, u64)> {
        let mut bytes = self.bytes(extent)?;
        if extent.to < self.size {
            bytes.truncate(boundary(&bytes));
        }
        let to = extent.from + bytes.len() as u64;
        Ok((String::from_utf8_lossy(&bytes).into_owned(), to))
    }

    /// Returns the offset of the last lines. Text after the last line end counts as a line. Lines that begin more
    /// than [`MAX_SHOWN`] bytes before the end are left out.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn start_of_tail(&self, Tail(lines): Tail) -> Result<u64> {
        let reader = LineReader::new(&self.file);
        let complete = reader.complete_until(self.size)?;
        let mut from = complete;
        let rest = usize::from(complete < self.size);
        if lines == 0 {
            return Ok(self.size);
        }
        for line in reader.keeping(0).backward(complete).take(lines - rest) {
            from = line?.offset;
            if self.size - from >= MAX_SHOWN {
                break;
            }
        }
        Ok(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};

    #[test]
    fn the_last_lines_and_any_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let rel = RelPath::new("f").unwrap();
        assert!(matches!(Opened::open(&tree, &rel), Err(TreeError::NotFound { .. })));
        for (content, lines, text) in [
            ("", 3, ""),
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\nc", 1, "c"),
            ("a\nb\nc\n", 9, "a\nb\nc\n"),
            ("a\n\n\n", 2, "\n\n"),
            ("a\nb\n", 0, ""),
        ] {
            tree.root().replace(&rel, content.as_bytes()).unwrap();
            let file = Opened::open(&tree, &rel).unwrap();
            let from = file.start_of_text(Some(Tail(lines))).unwrap();
            let shown = file.text(Extent { from, to: file.size }).unwrap();
            assert_eq!(shown, (text.to_owned(), file.size), "{content:?} {lines}");
            assert_eq!(from, (content.len() - text.len()) as u64);
        }
        tree.root().replace(&rel, b"0123456789").unwrap();
        let file = Opened::open(&tree, &rel).unwrap();
        assert_eq!(file.bytes(Extent { from: 2, to: 5 }).unwrap(), b"234");
        assert_eq!(file.bytes(Extent { from: 8, to: 99 }).unwrap(), b"89");
        assert_eq!(file.start_of_text(None).unwrap(), 0);
        tree.root().replace(&rel, "aüb".as_bytes()).unwrap();
        let file = Opened::open(&tree, &rel).unwrap();
        assert_eq!(file.text(Extent { from: 0, to: 2 }).unwrap(), ("a".to_owned(), 1));
        assert_eq!(file.text(Extent { from: 1, to: 4 }).unwrap(), ("üb".to_owned(), 4));
    }
}
