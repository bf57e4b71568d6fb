//! A file that is read forwards while it grows. It may be cut in place, or replaced, while it is read.

use base::fsx::{FsErrorKind, ReadFile, RelPath, Root};
use tree::Result;

/// A file under its name, opened once it exists.
#[derive(Debug)]
pub struct Growing {
    rel: RelPath,
    file: Option<ReadFile>,
}

impl Growing {
    /// Creates a reader of a file that need not exist yet.
    #[must_use]
    pub fn new(rel: RelPath) -> Self {
        Self { rel, file: None }
    }

    /// Returns the open file; `None` if it does not exist yet.
    ///
    /// # Errors
    /// If the path is not a file, or the disk fails.
    pub fn open(&mut self, root: &Root) -> Result<Option<&ReadFile>> {
        if self.file.is_none() {
            self.file = match root.open_read(&self.rel) {
                Ok(file) => Some(file),
                Err(e) if e.kind() == FsErrorKind::NotFound => None,
                Err(e) => return Err(e.into()),
            };
        }
        Ok(self.file.as_ref())
    }

    /// Returns true if the bytes before `offset` are not those of the file any more, because it was replaced or became
    /// shorter. Then it is to be read from its beginning. `inode` is that of the file whose bytes were read, if another
    /// reader has read them.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn begins_anew(&mut self, root: &Root, offset: u64, inode: Option<u64>) -> Result<bool> {
        let Some(stat) = root.stat(&self.rel)? else { return Ok(false) };
        let known = match (inode, &self.file) {
            (None, Some(file)) => Some(file.inode()?),
            (inode, _) => inode,
        };
        let is_other = known.is_some_and(|inode| inode != stat.inode);
        if !is_other && offset <= stat.len {
            return Ok(false);
        }
        self.file = None;
        Ok(true)
    }
}
