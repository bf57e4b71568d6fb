//! Reads whole small files, folders, and parts of large files.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, OFlags};

use super::{
    error::{FsError, Result, found},
    rel::RelPath,
    root::{Root, is_hollow},
};

/// Largest buffer that is allocated without asking for the size of the file.
const UNASKED: u64 = 256 * 1024;

/// The kind of thing at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A link, FIFO, socket or device, or a file that is almost all holes. This program creates none of them in a tree.
    Other,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; names that are not UTF-8 are left out of listings.
    pub name: String,
    /// The kind of thing, links not followed.
    pub kind: EntryKind,
}

/// Size, time and identity of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The kind of thing, links not followed.
    pub kind: EntryKind,
    /// Size in bytes.
    pub len: u64,
    /// Time of the last change, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Distinguishes a file from its replacement.
    pub inode: u64,
    /// True if users other than its owner may access it.
    pub open_to_others: bool,
}

/// An open regular file, read by position. It stays the same file when its name is replaced.
#[derive(Debug)]
pub struct ReadFile {
    pub(super) file: File,
    root: Root,
    rel: RelPath,
}

impl ReadFile {
    pub(super) fn new(file: File, root: &Root, rel: &RelPath) -> Self {
        Self { file, root: root.clone(), rel: rel.clone() }
    }

    /// Returns the current length in bytes.
    ///
    /// # Errors
    /// If the kernel call fails.
    pub fn size(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| self.root.error("stat", &self.rel, e))?.len())
    }

    /// Returns the time of the last change, in nanoseconds since 1970.
    ///
    /// # Errors
    /// If the kernel call fails.
    pub fn modified_ns(&self) -> Result<i128> {
        let meta = self.file.metadata().map_err(|e| self.root.error("stat", &self.rel, e))?;
        Ok(i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()))
    }

    /// Returns the inode, which distinguishes this file from its replacement.
    ///
    /// # Errors
    /// If the kernel call fails.
    pub fn inode(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| self.root.error("stat", &self.rel, e))?.ino())
    }

    /// Returns the length between two appends. Waits for an append in progress, so an unfinished line at the end has
    /// lost its writer, or was written without taking the lock.
    ///
    /// # Errors
    /// If the file cannot be locked.
    pub fn settled_size(&self) -> Result<u64> {
        loop {
            match self.file.lock_shared() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => break result.map_err(|e| self.root.error("lock", &self.rel, e))?,
            }
        }
        let size = self.size();
        // A failure is harmless, because closing the file releases the lock.
        let _ = self.file.unlock();
        size
    }

    /// Reads up to `buf.len()` bytes at `offset`; 0 at the end.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            match self.file.read_at(buf, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(|e| self.root.error("read", &self.rel, e)),
            }
        }
    }

    /// Reads everything from `from` up to `to`, or up to the end if that is earlier.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn read_range(&self, from: u64, to: u64) -> Result<Vec<u8>> {
        let mut want = to.saturating_sub(from);
        // A caller that passes a huge number for "the rest" must not cause an allocation of that size.
        if want > UNASKED {
            want = to.min(self.size()?).saturating_sub(from);
        }
        let want = usize::try_from(want).unwrap_or(usize::MAX);
        let mut bytes = vec![0; want];
        let mut got = 0;
        while got < want {
            match self.read_at(&mut bytes[got..], from + got as u64)? {
                0 => break,
                n => got += n,
            }
        }
        bytes.truncate(got);
        Ok(bytes)
    }

    /// Returns the path, for messages.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.absolute(&self.rel)
    }
}

impl Root {
    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// If it is missing, leaves the root, or is a FIFO, device or folder.
    pub fn open_read(&self, rel: &RelPath) -> Result<ReadFile> {
        let file = self.file("open", rel, OFlags::RDONLY)?;
        Ok(ReadFile::new(file, self, rel))
    }

    /// Reads a file of at most `max` bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`super::FsErrorKind::TooLarge`] if it is larger than `max`. Nothing is read then.
    pub fn read_opt(&self, rel: &RelPath, max: u64) -> Result<Option<Vec<u8>>> {
        found(self.open_and_read(rel, max))
    }

    /// Reads a file of at most `max` bytes. The size is that at the opening, which saves a call for each of the
    /// thousands of records that a daemon reads when it starts.
    pub(super) fn open_and_read(&self, rel: &RelPath, max: u64) -> Result<Vec<u8>> {
        let (file, len) = self.file_and_size("open", rel, OFlags::RDONLY)?;
        if len > max {
            let why = format!("{len} bytes, more than the {max} that such a file may have");
            return Err(self.error("read", rel, io::Error::new(io::ErrorKind::FileTooLarge, why)));
        }
        ReadFile::new(file, self, rel).read_range(0, len)
    }

    /// Returns the size and identity, or `None` if the path does not exist.
    ///
    /// # Errors
    /// If the path leaves the root or the disk fails.
    pub fn stat(&self, rel: &RelPath) -> Result<Option<Stat>> {
        let Some(fd) = found(self.open_at("stat", rel, OFlags::PATH | OFlags::NOFOLLOW))? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| self.error("stat", rel, e))?;
        Ok(Some(stat_of(&stat)))
    }

    /// Returns true if the path exists.
    ///
    /// # Errors
    /// If the path leaves the root or the disk fails.
    pub fn exists(&self, rel: &RelPath) -> Result<bool> {
        Ok(self.stat(rel)?.is_some())
    }

    /// Returns the names in a folder, each with its stat (of a link itself), sorted; empty if the folder does not
    /// exist. It is cheaper than single calls, because each name is looked up in the open folder.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list_with_stats(&self, rel: &RelPath) -> Result<Vec<(String, Stat)>> {
        let named = |dir: &OwnedFd, name: &str, _| match own_stat(dir, name) {
            Ok(stat) => Ok(Some((name.to_owned(), stat_of(&stat)))),
            // Moved or removed after the folder was listed.
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(e) => Err(self.error("stat", &rel.join(name), e)),
        };
        let mut files = self.each_name(rel, named)?;
        files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(files)
    }

    /// Returns the names in a folder, sorted; empty if the folder does not exist.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self, rel: &RelPath) -> Result<Vec<Entry>> {
        let mut entries = self.each_name(rel, |dir, name, kind| {
            let kind = match kind {
                FileType::Unknown => own_stat(dir, name)
                    .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
                known => known,
            };
            Ok(Some(Entry { name: name.to_owned(), kind: kind_of(kind) }))
        })?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Calls `of` for each name in a folder that is UTF-8, and collects the results; empty if the folder does not
    /// exist.
    fn each_name<T>(
        &self,
        rel: &RelPath,
        mut of: impl FnMut(&OwnedFd, &str, FileType) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let mut made = Vec::new();
        let mut seen = HashSet::new();
        for (n, dir) in self.listed(rel)?.iter().enumerate() {
            for entry in rustix::fs::Dir::read_from(dir).map_err(|e| self.error("list", rel, e))? {
                let entry = entry.map_err(|e| self.error("list", rel, e))?;
                let name = match entry.file_name().to_str() {
                    Ok("." | "..") | Err(_) => continue,
                    Ok(name) => name,
                };
                if !self.shown().is_empty()
                    && (n > 0 && !Self::belongs(dir, name) || !seen.insert(name.to_owned()))
                {
                    continue;
                }
                made.extend(of(dir, name, entry.file_type())?);
            }
        }
        Ok(made)
    }
}

/// Returns the stat of a name in an open folder; of a link itself, not of its target.
fn own_stat(dir: &OwnedFd, name: &str) -> rustix::io::Result<rustix::fs::Stat> {
    rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let kind = kind_of(FileType::from_raw_mode(stat.st_mode));
    Stat {
        kind: if kind == EntryKind::File && is_hollow(stat) { EntryKind::Other } else { kind },
        len: u64::try_from(stat.st_size).unwrap_or(0),
        modified_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        inode: stat.st_ino,
        open_to_others: stat.st_mode & 0o077 != 0,
    }
}

/// Reads an open file of at most `max` bytes.
fn kind_of(kind: FileType) -> EntryKind {
    match kind {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Dir,
        _ => EntryKind::Other,
    }
}

/// Returns the absolute path with every link and `..` resolved, so that paths can be compared. Names after the first
/// missing one are kept as they are.
///
/// # Errors
/// If the path is relative and the working folder is gone.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|e| FsError::new("resolve", path, e))?;
    for existing in absolute.ancestors() {
        if let (Ok(real), Ok(missing)) = (existing.canonicalize(), absolute.strip_prefix(existing)) {
            return Ok(if missing.as_os_str().is_empty() { real } else { real.join(missing) });
        }
    }
    Ok(absolute)
}

/// Returns the canonical path of a folder outside of a root, if this process may list and enter it.
///
/// # Errors
/// If it is missing, is not a folder, or this process has no access to it.
pub fn usable_folder(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if !real.is_dir() {
        return Err(rustix::io::Errno::NOTDIR.into());
    }
    rustix::fs::access(&real, rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK)?;
    Ok(real)
}

/// Reads a small file outside of a root: the configuration, a token, a prompt that a user names.
///
/// # Errors
/// If it is missing, a folder, or larger than `max` bytes.
pub fn read_outside(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = open_to_read(path, OFlags::empty())?;
    read_whole(file, path, max)
}

/// Reads a file that may have been created by others. Anything but a regular file is rejected, and a FIFO does not
/// block.
///
/// # Errors
/// If it cannot be read, is not a regular file, or is larger than `max`.
pub fn read_regular_outside(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = open_to_read(path, OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let fail = |e: io::Error| FsError::new("read", path, e);
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    read_whole(file, path, max)
}

fn open_to_read(path: &Path, more: OFlags) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | more;
    let fd = rustix::fs::open(path, flags, rustix::fs::Mode::empty());
    fd.map(File::from).map_err(|e| FsError::new("read", path, io::Error::from(e)))
}

fn read_whole(file: File, path: &Path, max: u64) -> Result<Vec<u8>> {
    let fail = |e: io::Error| FsError::new("read", path, e);
    let meta = file.metadata().map_err(fail)?;
    if meta.is_dir() {
        return Err(fail(rustix::io::Errno::ISDIR.into()));
    }
    if meta.len() > max {
        return Err(fail(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes"))));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, max + 1), &mut bytes).map_err(fail)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsx::FsErrorKind;

    #[test]
    fn only_a_regular_file_is_read_and_no_fifo_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), b"text").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read_regular_outside(&path("link"), 4).unwrap(), b"text");
        assert_eq!(read_regular_outside(&path("file"), 3).unwrap_err().kind(), FsErrorKind::TooLarge);
        assert_eq!(read_regular_outside(&path("none"), 4).unwrap_err().kind(), FsErrorKind::NotFound);
        for odd in ["fifo", "."] {
            assert!(read_regular_outside(&path(odd), 4).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_path_is_resolved_as_far_as_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("there")).unwrap();
        std::os::unix::fs::symlink("there", real.join("link")).unwrap();
        for (path, resolved) in
            [("link", "there"), ("there/../link/.", "there"), ("link/no/file", "there/no/file"), ("no", "no")]
        {
            assert_eq!(resolve(&dir.path().join(path)).unwrap(), real.join(resolved), "{path}");
        }
        assert_eq!(resolve(Path::new("/")).unwrap(), Path::new("/"));
    }
}
