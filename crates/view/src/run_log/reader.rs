//! Reads the two files of a run in the order in which they were printed.

use chrono::{DateTime, Utc};

use super::{
    cursor::{Cursor, LogStream, Note},
    marks::{self, Marks},
    source::{Piece, Source},
};
use crate::files::start_of_tail;
use base::fsx::RelPath;
use tree::{Result, Tree, refs::RunRef, run_info::RunStatus};

/// Maximum number of events that are read at once.
const PAGE: usize = 256;
/// Maximum number of bytes of lines, plus the rest of the last line. It limits the cost of a client that does not
/// read.
const PAGE_BYTES: usize = 64 * 1024;

/// The status of a run, as shown to all readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShownStatus {
    /// Its status.
    pub status: RunStatus,
    /// Its exit code, once it has one.
    pub exit_code: Option<i32>,
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// A line, without its end.
    Line {
        /// The stream that the line was printed to.
        stream: LogStream,
        /// The time at which it was written.
        time: DateTime<Utc>,
        /// The text; bytes that are not UTF-8 are replaced.
        text: String,
        /// True if the same line continues in the next event of this stream, because it is longer than 1 MiB.
        continues: bool,
    },
    /// The run's status has changed.
    Status(ShownStatus),
    /// Nothing follows.
    Done,
}

/// Reads the stream of one run.
#[derive(Debug)]
pub struct RunLog {
    tree: Tree,
    cursor: Cursor,
    stdout: Source,
    stderr: Source,
}

impl RunLog {
    /// Creates a reader that starts at a cursor.
    #[must_use]
    pub fn new(tree: Tree, run: &RunRef, cursor: Cursor) -> Self {
        let dir = run.dir();
        let source = |stream, file, at| Source::new(file, at, Marks::new(dir.log_times(), stream));
        let stdout = source(LogStream::Stdout, dir.stdout(), cursor.stdout);
        let stderr = source(LogStream::Stderr, dir.stderr(), cursor.stderr);
        Self { tree, cursor, stdout, stderr }
    }

    /// Returns the cursor at which a run's stream has the whole lines of the last `bytes` bytes of each file left.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn tail(tree: &Tree, run: &RunRef, bytes: u64) -> Result<Cursor> {
        let dir = run.dir();
        let start = |rel| start_of_tail(tree, &rel, bytes);
        Ok(Cursor { stdout: start(dir.stdout())?, stderr: start(dir.stderr())?, note: Note::None })
    }

    /// Returns the current end of each file, without a status.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn size(tree: &Tree, run: &RunRef) -> Result<Cursor> {
        let dir = run.dir();
        let size = |rel: RelPath| -> Result<u64> {
            match marks::open(tree.root(), &rel)? {
                Some(file) => Ok(file.size()?),
                None => Ok(0),
            }
        };
        Ok(Cursor { stdout: size(dir.stdout())?, stderr: size(dir.stderr())?, note: Note::None })
    }

    /// The position of the next event.
    #[must_use]
    pub fn place(&self) -> Cursor {
        self.cursor
    }

    /// Returns true if the cursor is at or after the end of a run that has ended.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn is_over(&self) -> Result<bool> {
        let behind = |at: u64, size: u64| at > size;
        let root = self.tree.root();
        Ok(self.cursor.note == Note::Done
            || behind(self.cursor.stdout, self.stdout.size(root)?)
            || behind(self.cursor.stderr, self.stderr.size(root)?))
    }

    /// Returns the next events, each with the cursor after it; empty if there is nothing new. `shown` was read before
    /// the files.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn read(&mut self, shown: ShownStatus) -> Result<Vec<(LogEvent, Cursor)>> {
        let ended = shown.status.is_final();
        let mut events = Vec::new();
        let note = Note::of(shown.status);
        let untold = |at: &Cursor| at.note != note && at.note != Note::Done;
        // The status `running` is sent before the output, even to a reader that is far behind.
        if !ended && untold(&self.cursor) {
            self.cursor.note = note;
            events.push((LogEvent::Status(shown), self.cursor));
        }
        let (mut bytes, mut caught_up) = (0, false);
        while events.len() < PAGE && bytes < PAGE_BYTES {
            let Some((stream, piece)) = self.next_piece(ended)? else {
                caught_up = true;
                break;
            };
            bytes += piece.text.len();
            match stream {
                LogStream::Stdout => self.cursor.stdout = piece.end,
                LogStream::Stderr => self.cursor.stderr = piece.end,
            }
            let Piece { time, text, continues, .. } = piece;
            events.push((LogEvent::Line { stream, time, text, continues }, self.cursor));
        }
        // An end is sent after all output before it.
        if ended && caught_up && untold(&self.cursor) {
            self.cursor.note = note;
            events.push((LogEvent::Status(shown), self.cursor));
        }
        if ended && caught_up && self.cursor.note != Note::Done {
            self.cursor.note = Note::Done;
            events.push((LogEvent::Done, self.cursor));
        }
        Ok(events)
    }

    /// Returns the earlier one of the two files' next pieces.
    fn next_piece(&mut self, ended: bool) -> Result<Option<(LogStream, Piece)>> {
        let root = self.tree.root();
        let now = self.tree.clock().now();
        let out = self.stdout.peek(root, ended, now)?;
        let err = self.stderr.peek(root, ended, now)?;
        let stream = match (out, err) {
            (None, None) => return Ok(None),
            (Some(_), None) => LogStream::Stdout,
            (Some(out), Some(err)) if out <= err => LogStream::Stdout,
            _ => LogStream::Stderr,
        };
        let source = match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        };
        Ok(source.take().map(|piece| (stream, piece)))
    }
}
