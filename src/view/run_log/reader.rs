//! Reads the two files of a run in the order in which they were printed.

use chrono::{DateTime, Utc};

use super::{
    cursor::{Cursor, LogStream, Note},
    marks::{self, Marks},
    source::{Piece, Source},
};
use crate::{
    fsx::RelPath,
    tree::{Result, Tree, refs::RunRef, run_info::RunStatus},
    view::files::start_of_tail,
};

/// So many events are read at a time.
const PAGE: usize = 256;
/// So many bytes of lines, with the line that goes beyond: a client that does not read costs no more.
const PAGE_BYTES: usize = 64 * 1024;

/// How a run stands, as everybody is shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
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
        /// Where it was printed.
        stream: LogStream,
        /// When it was there.
        time: DateTime<Utc>,
        /// The text; bytes that are no UTF-8 are replaced.
        text: String,
        /// Whether the same line goes on in the next event of this stream: it is longer than 1 MiB.
        continues: bool,
    },
    /// The run's status has changed.
    Status(Shown),
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
    /// A reader that begins at a cursor.
    #[must_use]
    pub fn new(tree: Tree, run: &RunRef, cursor: Cursor) -> Self {
        let dir = run.dir();
        let source = |stream, file, at| Source::new(file, at, Marks::new(dir.log_times(), stream));
        let stdout = source(LogStream::Stdout, dir.stdout(), cursor.stdout);
        let stderr = source(LogStream::Stderr, dir.stderr(), cursor.stderr);
        Self { tree, cursor, stdout, stderr }
    }

    /// Where the stream of a run is cut to begin with the whole lines of the last `bytes` bytes of each file.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn tail(tree: &Tree, run: &RunRef, bytes: u64) -> Result<Cursor> {
        let dir = run.dir();
        let start = |rel| start_of_tail(tree, &rel, bytes);
        Ok(Cursor { stdout: start(dir.stdout())?, stderr: start(dir.stderr())?, note: Note::None })
    }

    /// The end of each file as it is now; of the status nothing.
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

    /// Where the next event begins.
    #[must_use]
    pub fn place(&self) -> Cursor {
        self.cursor
    }

    /// Whether the cursor stands at or behind the end, for a run that has ended.
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

    /// The next events, each with the cursor behind it; none: nothing new is there. `shown` was looked up before.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn read(&mut self, shown: Shown) -> Result<Vec<(LogEvent, Cursor)>> {
        let ended = shown.status.is_final();
        let mut events = Vec::new();
        let note = Note::of(shown.status);
        let untold = |at: &Cursor| at.note != note && at.note != Note::Done;
        // That it runs is told before what it prints, however far a reader is behind.
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
        // An end is told behind everything that was printed before it.
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

    /// The earlier of what both files have next.
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
