//! Appending whole lines to a file that many processes write.

use std::{fs::File, io::Write};

use rustix::fs::OFlags;

use super::{
    error::{FsError, Result},
    group_sync,
    lines::{Line, LineReader},
    read::ReadFile,
    rel::RelPath,
    root::{Durability, Root},
    steps::step,
};

/// What stands in the file, seen under the lock by who is about to append.
#[derive(Debug)]
pub struct Tail<'a> {
    file: &'a ReadFile,
    len: u64,
}

impl Tail<'_> {
    /// The last complete line before `end` (pass [`Tail::size`] to begin).
    ///
    /// # Errors
    /// If the disk fails.
    pub fn line_before(&self, end: u64) -> Result<Option<Line>> {
        LineReader::new(self.file).before(end)
    }

    /// Bytes in the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }
}

impl Root {
    /// Appends what `lines` makes, under an exclusive flock and with one `write`.
    ///
    /// `lines` sees the end of the file and returns whole lines, each ending in a
    /// newline, or nothing to append nothing; so what it looks up there still
    /// holds when its lines land. If a writer died in mid-line, that line is
    /// ended first. Returns when the bytes are as durable as the root asks.
    ///
    /// # Errors
    /// After an error of the disk the file is as it was before.
    pub fn append<T, E: From<FsError>>(
        &self,
        rel: &RelPath,
        lines: impl FnOnce(&Tail<'_>) -> std::result::Result<(Vec<u8>, T), E>,
    ) -> std::result::Result<T, E> {
        let fail = |op| move |e: std::io::Error| self.error(op, rel, e);
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        step();
        let mut file = self.file("append to", rel, flags)?;
        file.lock().map_err(fail("lock"))?;
        let len = file.metadata().map_err(fail("stat"))?.len();
        let reader = self.open_read(rel)?;
        let (mut bytes, value) = lines(&Tail { file: &reader, len })?;
        if bytes.is_empty() {
            return Ok(value);
        }
        debug_assert!(bytes.ends_with(b"\n"), "whole lines only");
        if len > 0 && reader.read_range(len - 1, len)? != b"\n" {
            bytes.insert(0, b'\n');
        }
        let sync = group_sync::begin(&file).map_err(fail("stat"))?;
        step();
        if let Err(e) = write_whole(&mut file, &bytes) {
            // Under the lock nobody else has written since: what is behind `len` is ours.
            let _ = file.set_len(len);
            return Err(self.error("append to", rel, e).into());
        }
        FsUnlock(&file).now();
        if self.durability() == Durability::Always {
            step();
            sync.wait(&file).map_err(fail("sync"))?;
            if len == 0 {
                // A new file is not there after a power cut until its name is.
                self.sync_dir(&self.dir("sync folder", &rel.parent())?, &rel.parent())?;
            }
        }
        Ok(value)
    }
}

/// Unlocks before the sync, so that others write while we wait and share it.
struct FsUnlock<'a>(&'a File);

impl FsUnlock<'_> {
    fn now(self) {
        // A failure here is mended by closing the file, which follows soon.
        let _ = self.0.unlock();
    }
}

/// One `write`; a short one (a full disk, a file size limit) is an error and not continued,
/// since the second half could land behind another writer's line on file systems without locks.
fn write_whole(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        match file.write(bytes) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(n) if n == bytes.len() => return Ok(()),
            Ok(_) => return Err(rustix::io::Errno::NOSPC.into()),
            Err(e) => return Err(e),
        }
    }
}
