//! Reading: whole small files, folders, and positions in large ones.

use std::{
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
    root::Root,
};

/// So many bytes are made room for without asking how many there are.
const UNASKED: u64 = 256 * 1024;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A link, FIFO, socket or device: nothing that we make.
    Other,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; names that are not UTF-8 are left out of listings.
    pub name: String,
    /// What it is, links not followed.
    pub kind: EntryKind,
}

/// Size, age and identity of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is, links inside the root followed.
    pub kind: EntryKind,
    /// Bytes.
    pub len: u64,
    /// Last change, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Distinguishes a replaced file from the one before.
    pub inode: u64,
    /// Whether users other than its owner may read it.
    pub open_to_others: bool,
}

/// An open regular file, read by position; it stays the same file when the name is replaced.
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

    /// Present length in bytes.
    ///
    /// # Errors
    /// If the kernel cannot say.
    pub fn size(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| self.root.error("stat", &self.rel, e))?.len())
    }

    /// Distinguishes this file from one that has replaced it.
    ///
    /// # Errors
    /// If the kernel cannot say.
    pub fn inode(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| self.root.error("stat", &self.rel, e))?.ino())
    }

    /// Length between two appends, waiting for the one that is under way: a line that is
    /// unfinished there has lost its writer, or was written by somebody who takes no lock.
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
        // A failure here is mended by closing the file.
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

    /// Reads everything from `from` up to `to` (or the end, if that is earlier).
    ///
    /// # Errors
    /// If the disk fails.
    pub fn read_range(&self, from: u64, to: u64) -> Result<Vec<u8>> {
        let mut want = to.saturating_sub(from);
        // A caller that means "the rest" must not cost the memory of his number.
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

    /// The path, for messages.
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
    /// [`super::FsErrorKind::TooLarge`] beyond `max`; nothing is read then.
    pub fn read_opt(&self, rel: &RelPath, max: u64) -> Result<Option<Vec<u8>>> {
        let Some(file) = found(self.open_read(rel))? else { return Ok(None) };
        let len = file.size()?;
        if len > max {
            let why = format!("{len} bytes, more than the {max} that such a file may have");
            return Err(self.error("read", rel, io::Error::new(io::ErrorKind::FileTooLarge, why)));
        }
        file.read_range(0, max).map(Some)
    }

    /// Size and identity, or `None` if nothing is there.
    ///
    /// # Errors
    /// If the path leaves the root or the disk fails.
    pub fn stat(&self, rel: &RelPath) -> Result<Option<Stat>> {
        let Some(fd) = found(self.open_at("stat", rel, OFlags::PATH))? else { return Ok(None) };
        let stat = rustix::fs::fstat(&fd).map_err(|e| self.error("stat", rel, e))?;
        Ok(Some(stat_of(&stat)))
    }

    /// Whether anything stands at the path.
    ///
    /// # Errors
    /// If the path leaves the root or the disk fails.
    pub fn exists(&self, rel: &RelPath) -> Result<bool> {
        Ok(self.stat(rel)?.is_some())
    }

    /// The names in a folder with what the kernel says of each (of a link itself), sorted; empty if there is no such
    /// folder. Cheaper than to ask for one after the other: each is found in the folder, which is open.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn list_with_stats(&self, rel: &RelPath) -> Result<Vec<(String, Stat)>> {
        let named = |dir: &OwnedFd, name: &str, _| match own_stat(dir, name) {
            Ok(stat) => Ok(Some((name.to_owned(), stat_of(&stat)))),
            // Moved or removed since the folder was listed.
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(e) => Err(self.error("stat", &rel.join(name), e)),
        };
        let mut files = self.each_name(rel, named)?;
        files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(files)
    }

    /// The names in a folder, sorted; empty if there is no such folder.
    ///
    /// # Errors
    /// If it cannot be read.
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

    /// What `of` makes of the names in a folder that are text; nothing if there is no such folder.
    fn each_name<T>(
        &self,
        rel: &RelPath,
        mut of: impl FnMut(&OwnedFd, &str, FileType) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let Some(dir) = found(self.dir("list", rel))? else { return Ok(Vec::new()) };
        let mut made = Vec::new();
        for entry in rustix::fs::Dir::read_from(&dir).map_err(|e| self.error("list", rel, e))? {
            let entry = entry.map_err(|e| self.error("list", rel, e))?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => made.extend(of(&dir, name, entry.file_type())?),
            }
        }
        Ok(made)
    }
}

/// What the kernel says of a name in an open folder; of a link, not of what it leads to.
fn own_stat(dir: &OwnedFd, name: &str) -> rustix::io::Result<rustix::fs::Stat> {
    rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
        len: u64::try_from(stat.st_size).unwrap_or(0),
        modified_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        inode: stat.st_ino,
        open_to_others: stat.st_mode & 0o077 != 0,
    }
}

fn kind_of(kind: FileType) -> EntryKind {
    match kind {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Dir,
        _ => EntryKind::Other,
    }
}

/// The absolute path with every link and `..` in it resolved, so that paths can be compared; as far as
/// it exists: names behind a missing one stay as they are.
///
/// # Errors
/// If it is relative and the working folder is gone.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|e| FsError::new("resolve", path, e))?;
    for existing in absolute.ancestors() {
        if let (Ok(real), Ok(missing)) = (existing.canonicalize(), absolute.strip_prefix(existing)) {
            return Ok(if missing.as_os_str().is_empty() { real } else { real.join(missing) });
        }
    }
    Ok(absolute)
}

/// The canonical path of a folder that is not below a root: one that this process may list and enter.
///
/// # Errors
/// If it is missing, is no folder, or is closed to us.
pub fn usable_folder(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if !real.is_dir() {
        return Err(rustix::io::Errno::NOTDIR.into());
    }
    rustix::fs::access(&real, rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK)?;
    Ok(real)
}

/// Reads a small file that is not below a root: the configuration, a token, a prompt that a user names.
///
/// # Errors
/// If it is missing, a folder, or larger than `max` bytes.
pub fn read_outside(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = open_to_read(path, OFlags::empty())?;
    read_whole(file, path, max)
}

/// Reads a file that may have been put there by others: anything but a regular file is refused, and a FIFO is not
/// waited for.
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
