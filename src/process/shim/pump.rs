//! Pumps whole lines of `stdin.jsonl` into the agent's input, so that no writer's death leaves half a line there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;

use crate::fsx::{LineReader, ReadFile, RelPath, Root};

/// Most bytes taken from the file at once.
const CHUNK: u64 = 256 * 1024;

/// The agent's input: what of the file is still to go into the pipe.
#[derive(Debug)]
pub(super) struct Pump {
    root: Root,
    path: RelPath,
    file: Option<ReadFile>,
    /// Bytes of the file that were taken, always at the end of a line.
    taken: u64,
    pending: Vec<u8>,
    written: usize,
    pipe: OwnedFd,
    broken: bool,
}

impl Pump {
    pub(super) fn new(root: &Root, dir: &RelPath, pipe: OwnedFd) -> Self {
        // Only our end: whether the agent's end blocks is the agent's business.
        let _ = rustix::fs::fcntl_setfl(&pipe, OFlags::NONBLOCK);
        let path = dir.join("stdin.jsonl");
        Self {
            root: root.clone(),
            path,
            file: None,
            taken: 0,
            pending: Vec::new(),
            written: 0,
            pipe,
            broken: false,
        }
    }

    /// Writes as much as the pipe takes.
    pub(super) fn push(&mut self) {
        while !self.broken {
            if self.written == self.pending.len() && !self.refill() {
                return;
            }
            match rustix::io::write(&self.pipe, &self.pending[self.written..]) {
                Ok(n) => self.written += n,
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR) => {}
                // The agent has closed its input: nothing more will be read.
                Err(_) => self.broken = true,
            }
        }
    }

    /// The pipe, while there is something to write and no room for it.
    pub(super) fn wants_room(&self) -> Option<BorrowedFd<'_>> {
        (!self.broken && self.written < self.pending.len()).then(|| self.pipe.as_fd())
    }

    /// Takes the next whole lines. `false`: there are none now.
    fn refill(&mut self) -> bool {
        if self.file.is_none() {
            self.file = self.root.open_read(&self.path).ok();
        }
        let Some(file) = &self.file else { return false };
        self.pending.clear();
        self.written = 0;
        let Ok(size) = file.size() else { return false };
        let lines = LineReader::new(file);
        let whole = lines.complete_until(size.min(self.taken + CHUNK)).unwrap_or(self.taken);
        // A line longer than a chunk is taken alone.
        let until = if whole > self.taken {
            whole
        } else {
            match lines.at(self.taken, size) {
                Ok(Some(line)) => line.end(),
                _ => return false,
            }
        };
        match file.read_range(self.taken, until) {
            Ok(bytes) if bytes.ends_with(b"\n") => {
                self.taken += bytes.len() as u64;
                self.pending = bytes;
                true
            }
            _ => false,
        }
    }
}
