//! Appends whole lines to a file that several processes write.

use std::{
    fs::File,
    io::{self, Write},
};

use rustix::fs::OFlags;

use super::{
    error::{FsError, Result},
    group_sync::Member,
    lines::{Line, LineReader},
    read::ReadFile,
    rel::RelPath,
    root::{Durability, Root},
    steps::step,
};

/// The current content of the file, seen under the lock by the process that is about to append.
#[derive(Debug)]
pub struct Tail<'a> {
    file: &'a ReadFile,
    len: u64,
}

impl<'a> Tail<'a> {
    /// Returns the last complete line before `end` (pass [`Tail::size`] to begin).
    ///
    /// # Errors
    /// If the disk fails.
    pub fn line_before(&self, end: u64) -> Result<Option<Line>> {
        self.lines().before(end)
    }

    /// Returns a reader for the lines of the file.
    #[must_use]
    pub fn lines(&self) -> LineReader<'a> {
        LineReader::new(self.file)
    }

    /// Returns the number of bytes in the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }
}

impl Root {
    /// Appends the bytes that `lines` returns, under an exclusive flock and with one `write`.
    ///
    /// `lines` sees the end of the file and returns whole lines, each ending in a newline, or nothing to append
    /// nothing. Facts that it reads there still hold when its lines are written. If a writer died in the middle of a
    /// line, that line is ended first. The function returns when the file is as durable as the root's setting demands.
    /// This covers the new lines and the lines of other writers that `lines` saw.
    ///
    /// # Errors
    /// If the write fails, the file is unchanged. If the sync after the write fails, the lines are in the file but may
    /// not be durable.
    pub fn append<T, E: From<FsError>>(
        &self,
        rel: &RelPath,
        lines: impl FnOnce(&Tail<'_>) -> std::result::Result<(Vec<u8>, T), E>,
    ) -> std::result::Result<T, E> {
        self.append_as(self.durability(), rel, lines)
    }

    /// Appends lines that can be recreated from other files, and so need not survive a power cut yet. A later
    /// [`Root::append`], even of nothing, makes them durable.
    ///
    /// # Errors
    /// If the write fails. The file is unchanged then.
    pub fn append_derived(&self, rel: &RelPath, lines: Vec<u8>) -> Result<()> {
        self.append_as(Durability::Never, rel, |_| Ok((lines, ())))
    }

    fn append_as<T, E: From<FsError>>(
        &self,
        durability: Durability,
        rel: &RelPath,
        lines: impl FnOnce(&Tail<'_>) -> std::result::Result<(Vec<u8>, T), E>,
    ) -> std::result::Result<T, E> {
        step();
        let file = self.own_file("append to", rel, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)?;
        let file = ReadFile::new(file, self, rel);
        let locked = Locked::wait(&file.file).map_err(|e| self.error("lock", rel, e))?;
        let len = file.size()?;
        let (bytes, value) = lines(&Tail { file: &file, len })?;
        if bytes.is_empty() && len == 0 {
            return Ok(value);
        }
        let durable = durability == Durability::Always;
        if len == 0 && durable {
            // Before the first byte, so that a process that finds a byte may rely on the name being durable.
            self.sync_dir(&self.dir("sync folder", &rel.parent())?, &rel.parent())?;
        }
        if !bytes.is_empty() {
            self.write_lines(&file, len, bytes, rel)?;
        }
        // While this process waits for the disk, others write and share the next sync.
        drop(locked);
        if durable {
            step();
            let member = Member::join(&file.file).map_err(|e| self.error("stat", rel, e))?;
            member.sync(&file.file).map_err(|e| self.error("sync", rel, e))?;
        }
        Ok(value)
    }

    /// Ends a line that a dead writer left incomplete. Returns `false` if there was none.
    ///
    /// # Errors
    /// As [`Root::append`].
    pub fn end_line(&self, rel: &RelPath) -> Result<bool> {
        if self.stat(rel)?.is_none() {
            return Ok(false);
        }
        self.append(rel, |tail| {
            let torn = tail.lines().complete_until(tail.size())? < tail.size();
            Ok(if torn { (b"\n".to_vec(), true) } else { (Vec::new(), false) })
        })
    }

    /// Writes after `len`, the end of the file as seen under the lock.
    fn write_lines(&self, file: &ReadFile, len: u64, mut bytes: Vec<u8>, rel: &RelPath) -> Result<()> {
        debug_assert!(bytes.ends_with(b"\n"), "whole lines only");
        // An empty line after a torn line serves as the end of the torn line.
        if len > 0 && file.read_range(len - 1, len)? != b"\n" && bytes != b"\n" {
            bytes.insert(0, b'\n');
        }
        step();
        write_whole(&file.file, len, &bytes).map_err(|e| self.error("append to", rel, e))
    }
}

/// An exclusive flock. It is released explicitly, not only by closing: a process that was forked in the meantime holds
/// the same open file until its exec.
struct Locked<'a>(&'a File);

impl<'a> Locked<'a> {
    fn wait(file: &'a File) -> io::Result<Self> {
        loop {
            match file.lock() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(|()| Self(file)),
            }
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // A failure is harmless: closing the file, which follows soon, releases the lock.
        let _ = self.0.unlock();
    }
}

/// Writes with one `write`. A short write (a full disk, a file size limit) is undone and reported as an error. On a
/// file system without locks the second half could otherwise be written after another process's line.
fn write_whole(mut file: &File, len: u64, bytes: &[u8]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Ok(n) if n == bytes.len() => return Ok(()),
            Ok(n) => {
                // A writer that takes no lock may have written, too. Its bytes must not be cut.
                if file.metadata().is_ok_and(|m| m.len() == len + n as u64) {
                    let _ = file.set_len(len);
                }
                return Err(rustix::io::Errno::NOSPC.into());
            }
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn with_root<T>(durability: Durability, test: impl FnOnce(&Root, &RelPath) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        test(&Root::create(dir.path(), durability).unwrap(), &RelPath::new("log").unwrap())
    }

    fn append(root: &Root, rel: &RelPath, line: &str) -> Result<u64> {
        root.append(rel, |tail| Ok::<_, FsError>((line.into(), tail.size())))
    }

    fn content(root: &Root, rel: &RelPath) -> String {
        String::from_utf8(root.read_opt(rel, u64::MAX).unwrap().unwrap_or_default()).unwrap()
    }

    #[test]
    fn an_unfinished_line_is_ended_and_never_continued() {
        with_root(Durability::Always, |root, rel| {
            for (before, after) in [
                ("", "new\n"),
                ("old\n", "old\nnew\n"),
                ("old\nto", "old\nto\nnew\n"),
                ("\n", "\nnew\n"),
                ("x", "x\nnew\n"),
            ] {
                root.replace(rel, before.as_bytes()).unwrap();
                assert_eq!(append(root, rel, "new\n").unwrap(), before.len() as u64);
                assert_eq!(content(root, rel), after, "{before:?}");
            }
        });
    }

    #[test]
    fn nothing_to_append_leaves_the_file_as_it_is() {
        with_root(Durability::Always, |root, rel| {
            append(root, rel, "").unwrap();
            assert_eq!(content(root, rel), "");
            root.replace(rel, b"to").unwrap();
            append(root, rel, "").unwrap();
            assert_eq!(content(root, rel), "to");
        });
    }

    #[test]
    fn a_torn_line_is_ended_once() {
        with_root(Durability::Always, |root, rel| {
            assert!(!root.end_line(rel).unwrap() && !root.exists(rel).unwrap());
            for (before, after, torn) in [("", "", false), ("a\n", "a\n", false), ("a\nb", "a\nb\n", true)] {
                root.replace(rel, before.as_bytes()).unwrap();
                assert_eq!(root.end_line(rel).unwrap(), torn, "{before:?}");
                assert_eq!(content(root, rel), after);
            }
        });
    }

    #[test]
    fn a_refusal_gives_the_lock_back_and_writes_nothing() {
        with_root(Durability::Always, |root, rel| {
            append(root, rel, "one\n").unwrap();
            let refused = root.append(rel, |tail| {
                let last = tail.line_before(tail.size())?.unwrap();
                assert_eq!(last.bytes, b"one");
                Err::<(Vec<u8>, ()), _>(FsError::new(
                    "like",
                    std::path::Path::new("this"),
                    io::Error::other("no"),
                ))
            });
            assert_eq!(refused.unwrap_err().to_string(), "cannot like this");
            append(root, rel, "two\n").unwrap();
            assert_eq!(content(root, rel), "one\ntwo\n");
        });
    }

    #[test]
    fn nobody_appends_while_another_looks() {
        for durability in [Durability::Always, Durability::Never] {
            with_root(durability, |root, rel| {
                let inside = AtomicU64::new(0);
                std::thread::scope(|scope| {
                    for _ in 0..8 {
                        scope.spawn(|| {
                            for _ in 0..25 {
                                root.append(rel, |tail| {
                                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                                    let last = tail.line_before(tail.size())?;
                                    let last = last.map(|l| String::from_utf8(l.bytes).unwrap());
                                    let n: u64 = last.map_or(0, |l| l.parse().unwrap());
                                    inside.fetch_sub(1, Ordering::SeqCst);
                                    Ok::<_, FsError>((format!("{}\n", n + 1).into_bytes(), ()))
                                })
                                .unwrap();
                            }
                        });
                    }
                });
                let lines: Vec<u64> = content(root, rel).lines().map(|l| l.parse().unwrap()).collect();
                assert!(lines.iter().copied().eq(1..=200), "{lines:?}");
            });
        }
    }
}
