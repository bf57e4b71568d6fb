//! The output of a run, as a stream that can be cut anywhere and continues exactly there.
//!
//! The stream is two files and their offsets: every event carries the [`Cursor`] after it, and a reader that starts
//! at a cursor gets the rest, byte for byte. Only one chunk per file is held in memory, however slow the reader is.

mod cursor;
mod fan_in;
mod marks;
mod reader;
mod source;

pub use cursor::{BadCursor, Cursor, LogStream, Note};
pub use fan_in::{TaskCursor, TaskLog, TaskLogEvent};
pub(crate) use marks::Marks;
pub use reader::{LogEvent, RunLog, ShownStatus};

use tree::{Result, Tree, refs::RunRef};

/// Returns the last `most` bytes of a run's stdout, and true if there is more before them.
///
/// # Errors
/// If the file cannot be read; a run without output yet is no error.
pub fn stdout(tree: &Tree, run: &RunRef, most: u64) -> Result<(String, bool)> {
    let rel = run.dir().stdout();
    let Some(file) = marks::open(tree.root(), &rel)? else { return Ok((String::new(), false)) };
    let size = file.size()?;
    let from = size.saturating_sub(most);
    let bytes = file.read_range(from, size)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), from > 0))
}
