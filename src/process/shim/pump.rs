//! Pumps whole lines of `stdin.jsonl` into the agent's input, so that no writer's death leaves half a line there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;

use crate::{
    fsx::{LineReader, ReadFile, RelPath, Root},
    names,
};

/// Most bytes held at once; lines may be of any length.
const CHUNK: u64 = 64 * 1024;

/// The agent's input: what of the file is still to go into the pipe.
#[derive(Debug)]
pub(super) struct Pump {
    root: Root,
    path: RelPath,
    file: Option<ReadFile>,
    /// Bytes of the file that were looked through for whole lines.
    seen: u64,
    /// Where the whole lines among them end.
    whole: u64,
    /// Bytes that were taken, never beyond `whole`.
    taken: u64,
    pending: Vec<u8>,
    written: usize,
    /// `None` once its end has come, or the agent has closed its own.
    pipe: Option<OwnedFd>,
}

impl Pump {
    pub(super) fn new(root: &Root, dir: &RelPath, pipe: OwnedFd) -> Self {
        // Only our end: whether the agent's end blocks is the agent's business.
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

    /// Writes as much as the pipe takes; closes it behind the last whole line if the input is to end.
    pub(super) fn push(&mut self, end_of_input: bool) {
        while let Some(pipe) = &self.pipe {
            if self.written < self.pending.len() {
                match rustix::io::write(pipe, &self.pending[self.written..]) {
                    Ok(n) => self.written += n,
                    Err(rustix::io::Errno::AGAIN) => return,
                    Err(rustix::io::Errno::INTR) => {}
                    // The agent has closed its input: nothing more will be read.
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

    /// The pipe, while there is something to write and no room for it.
    pub(super) fn wants_room(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| self.written < self.pending.len()).map(AsFd::as_fd)
    }

    /// Takes the next piece of the whole lines. `false`: there is none now.
    fn refill(&mut self) -> bool {
        // A new one each time: what a long line took is given back.
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
