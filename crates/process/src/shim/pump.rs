//! Pumps whole lines of `stdin.jsonl` into the agent's input, so that the death of a writer leaves no partial line
//! there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;

use base::{
    fsx::{LineReader, ReadFile, RelPath, Root},
    names,
};

/// Largest number of bytes in memory at once. Lines may have any length.
const CHUNK: u64 = 64 * 1024;

/// The agent's input: the part of the file that is not yet in the pipe.
#[derive(Debug)]
pub(super) struct Pump {
    root: Root,
    path: RelPath,
    file: Option<ReadFile>,
    /// Number of bytes of the file that were searched for whole lines.
    seen: u64,
    /// End of the last whole line among these bytes.
    whole: u64,
    /// Number of bytes that were read for the pipe, never beyond `whole`.
    taken: u64,
    pending: Vec<u8>,
    written: usize,
    /// `None` after the input has ended, or after the agent has closed its end.
    pipe: Option<OwnedFd>,
}

impl Pump {
    pub(super) fn new(root: &Root, dir: &RelPath, pipe: OwnedFd) -> Self {
        // Only our end is non-blocking. The agent decides the mode of its own end.
        let _ = rustix::fs::fcntl_setfl(&pipe, OFlags::NONBLOCK);
        Self {
            root: root.clone(),
            path: dir.join(names::run::STDIN),
            file: None,
            seen: 0,
            whole: 0,
            taken: 0,
            pending: Vec::new(),
            written: 0,
            pipe: Some(pipe),
        }
    }

    /// Writes as much as the pipe accepts. Closes the pipe after the last whole line if the input is to end.
    pub(super) fn push(&mut self, end_of_input: bool) {
        while let Some(pipe) = &self.pipe {
            if self.written < self.pending.len() {
                match rustix::io::write(pipe, &self.pending[self.written..]) {
                    Ok(n) => self.written += n,
                    Err(rustix::io::Errno::AGAIN) => return,
                    Err(rustix::io::Errno::INTR) => {}
                    // The agent has closed its input and will read nothing more.
                    Err(_) => self.pipe = None,
                }
            } else if !self.refill() {
                if end_of_input {
                    self.pipe = None;
                }
                return;
            }
        }
    }

    /// Returns the pipe while there are bytes to write but no room for them.
    pub(super) fn wants_room(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| self.written < self.pending.len()).map(AsFd::as_fd)
    }

    /// Reads the next piece of the whole lines. Returns `false` if there is none now.
    fn refill(&mut self) -> bool {
        // A new buffer each time, so that the memory of a long line is released.
        self.pending = Vec::new();
        self.written = 0;
        if self.file.is_none() {
            self.file = self.root.open_read(&self.path).ok();
        }
        let Some(file) = &self.file else { return false };
        if self.taken == self.whole {
            let Ok(size) = file.size() else { return false };
            if size == self.seen {
                return false;
            }
            let Ok(whole) = LineReader::new(file).complete_until(size) else { return false };
            self.seen = size;
            self.whole = self.whole.max(whole);
        }
        let Ok(bytes) = file.read_range(self.taken, self.whole.min(self.taken + CHUNK)) else { return false };
        self.taken += bytes.len() as u64;
        self.pending = bytes;
        !self.pending.is_empty()
    }
}
