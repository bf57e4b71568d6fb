//! Visits every line of a bus, one at a time, including the lines that reading skips.

use super::{
    handle::Bus,
    line::{self, MAX_LINE},
    message::Message,
};
use crate::{FsErrorKind, Result, TreeError};
use base::fsx::LineReader;

/// One line of a bus, or the bytes after the last line.
#[derive(Debug, Clone, PartialEq)]
pub enum Scanned {
    /// A message.
    Message(Box<Message>),
    /// A line that is not a message.
    Garbage {
        /// Byte offset of its first byte.
        offset: u64,
        /// True if it was written by this program and changed afterwards.
        damaged: bool,
    },
    /// The beginning of a line that a dead writer left incomplete.
    Torn {
        /// Byte offset of its first byte.
        offset: u64,
    },
}

impl Bus {
    /// Calls `each` for every line that the file now contains, in file order. Only one line is held in memory.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn scan(&self, mut each: impl FnMut(Scanned)) -> Result<()> {
        let file = match self.root.open_read(&self.rel) {
            Err(e) if e.kind() == FsErrorKind::NotFound || e.is_wrong_kind() => return Ok(()),
            opened => opened.map_err(TreeError::from)?,
        };
        let size = file.settled_size()?;
        let mut read = 0;
        for line in LineReader::new(&file).keeping(MAX_LINE).forward(0, size) {
            let line = line?;
            read = line.end();
            each(match line::read(&line, &self.owner) {
                Some(message) => Scanned::Message(Box::new(message)),
                None => Scanned::Garbage { offset: line.offset, damaged: line::is_damaged(&line) },
            });
        }
        if read < size {
            each(Scanned::Torn { offset: read });
        }
        Ok(())
    }
}
