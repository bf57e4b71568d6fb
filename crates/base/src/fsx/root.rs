//! A folder that no path leaves: the kernel resolves paths below it, and links that lead out of it are rejected.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};

use super::{
    error::{FsError, Result},
    rel::RelPath,
    shown::Shown,
    steps::step,
};

/// Mode of a file that this program creates: only the owner has access, because it may contain prompts and answers.
pub(super) const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
/// Mode of a folder that this program creates.
pub(super) const DIR_MODE: Mode = Mode::from_raw_mode(0o700);

/// The time at which an append counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After `fdatasync`. Appends that wait at the same time share one call.
    #[default]
    Always,
    /// After `write`. The append survives the end of every process, but not a power cut.
    Never,
}

/// An open folder, for access to everything below it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Root {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    path: PathBuf,
    durability: Durability,
    shown: Vec<Shown>,
}

impl Root {
    /// Opens an existing folder.
    ///
    /// # Errors
    /// If it is missing, not a folder or not readable.
    pub fn open(path: &Path, durability: Durability) -> Result<Self> {
        Self::open_with(path, durability, Vec::new())
    }

    /// Opens a folder that exists, with further trees that appear in it.
    pub(super) fn open_with(path: &Path, durability: Durability, shown: Vec<Shown>) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|e| FsError::new("resolve", path, e))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(|e| FsError::new("open folder", &path, e))?;
        Ok(Self { inner: Arc::new(Inner { fd, path, durability, shown }) })
    }

    pub(super) fn shown(&self) -> &[Shown] {
        &self.inner.shown
    }

    /// Opens a folder, and creates it and its parents if they are missing.
    ///
    /// # Errors
    /// If a file is in the way or the folder cannot be created.
    pub fn create(path: &Path, durability: Durability) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let mut dir = std::fs::DirBuilder::new();
        dir.recursive(true).mode(DIR_MODE.as_raw_mode());
        match dir.create(path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(FsError::new("use as a folder", path, rustix::io::Errno::NOTDIR));
            }
            result => result.map_err(|e| FsError::new("create folder", path, e))?,
        }
        Self::open(path, durability)
    }

    /// Returns the absolute path of the folder, for messages and for other programs.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Returns the absolute path of `rel`, for messages and for other programs.
    #[must_use]
    pub fn absolute(&self, rel: &RelPath) -> PathBuf {
        let top = self.shown_in(rel).map_or(self.path(), Shown::path);
        if *rel == RelPath::top() { top.to_owned() } else { top.join(rel.as_path()) }
    }

    /// Returns the path relative to this root, if the absolute path is below it.
    #[must_use]
    pub fn relative(&self, path: &Path) -> Option<RelPath> {
        let tops = std::iter::once(self.path()).chain(self.shown().iter().map(Shown::path));
        let mut below = tops.filter_map(|top| path.strip_prefix(top).ok());
        below.find_map(|rel| RelPath::new(rel).ok())
    }

    pub(super) fn durability(&self) -> Durability {
        self.inner.durability
    }

    /// The open folder.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }

    pub(super) fn error(&self, op: &'static str, rel: &RelPath, e: impl Into<io::Error>) -> FsError {
        FsError::new(op, &self.absolute(rel), e)
    }

    /// Opens a path below the root. No link is followed.
    pub(super) fn open_at(&self, op: &'static str, rel: &RelPath, flags: OFlags) -> Result<OwnedFd> {
        if flags.intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC) {
            self.may_change(op, rel)?;
        }
        let top = self.shown_in(rel).map_or(self.fd(), Shown::fd);
        self.open_in(top, op, rel, flags)
    }

    /// Opens below a top folder, which is the root or a further tree.
    pub(super) fn open_in(
        &self,
        top: BorrowedFd<'_>,
        op: &'static str,
        rel: &RelPath,
        flags: OFlags,
    ) -> Result<OwnedFd> {
        let mode = if flags.contains(OFlags::CREATE) { FILE_MODE } else { Mode::empty() };
        let flags = flags | OFlags::CLOEXEC;
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let mut tries = 0;
        loop {
            match rustix::fs::openat2(top, rel.as_path(), flags, mode, how) {
                // A rename elsewhere in the tree may race with the resolution. The kernel then asks for another try.
                Err(rustix::io::Errno::AGAIN) if tries < 64 => tries += 1,
                Err(rustix::io::Errno::NOSYS) => return self.walk(top, op, rel, flags, mode),
                Err(rustix::io::Errno::LOOP) => return Err(self.error(op, rel, link())),
                result => return result.map_err(|e| self.error(op, rel, e)),
            }
        }
    }

    /// Opens without openat2 (gVisor, kernels before 5.6): name by name, following no link at all.
    fn walk(
        &self,
        top: BorrowedFd<'_>,
        op: &'static str,
        rel: &RelPath,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd> {
        let fail = |e: rustix::io::Errno| match e {
            rustix::io::Errno::LOOP => self.error(op, rel, link()),
            e => self.error(op, rel, e),
        };
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at: Option<OwnedFd> = None;
        let parent = rel.parent();
        if parent != RelPath::top() {
            for name in parent.as_path().components() {
                let dir = at.as_ref().map_or(top, AsFd::as_fd);
                at = Some(rustix::fs::openat(dir, name.as_os_str(), step, Mode::empty()).map_err(fail)?);
            }
        }
        let dir = at.as_ref().map_or(top, AsFd::as_fd);
        rustix::fs::openat(dir, rel.name(), flags | OFlags::NOFOLLOW, mode).map_err(fail)
    }

    /// Returns an open handle on a folder, for operations on its entries.
    pub(super) fn dir(&self, op: &'static str, rel: &RelPath) -> Result<OwnedFd> {
        self.open_at(op, rel, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Returns an open handle on the folder that contains a path, to change what lies there.
    pub(super) fn parent_to_change(&self, op: &'static str, rel: &RelPath) -> Result<OwnedFd> {
        self.may_change(op, rel)?;
        self.dir(op, &rel.parent())
    }

    pub(super) fn sync_dir(&self, dir: &OwnedFd, rel: &RelPath) -> Result<()> {
        step();
        rustix::fs::fsync(dir).map_err(|e| self.error("sync folder", rel, e))
    }

    /// Creates one folder, durably. Returns `false` if it existed already.
    ///
    /// # Errors
    /// If the parent is missing or cannot be written.
    pub fn mkdir(&self, rel: &RelPath) -> Result<bool> {
        let (made, parent) = self.make_dir(rel)?;
        if made {
            self.sync_dir(&parent, &rel.parent())?;
        }
        Ok(made)
    }

    /// Creates one folder. Returns true if it is new, and a handle on its parent.
    pub(super) fn make_dir(&self, rel: &RelPath) -> Result<(bool, OwnedFd)> {
        let parent = self.parent_to_change("create folder", rel)?;
        step();
        match rustix::fs::mkdirat(&parent, rel.name(), DIR_MODE) {
            Ok(()) => Ok((true, parent)),
            Err(rustix::io::Errno::EXIST) => {
                let kind = rustix::fs::statat(&parent, rel.name(), AtFlags::SYMLINK_NOFOLLOW)
                    .map(|s| rustix::fs::FileType::from_raw_mode(s.st_mode));
                match kind {
                    Ok(rustix::fs::FileType::Directory) => Ok((false, parent)),
                    _ => Err(self.error("create folder", rel, rustix::io::Errno::NOTDIR)),
                }
            }
            Err(e) => Err(self.error("create folder", rel, e)),
        }
    }

    /// Creates a folder with its missing parents.
    ///
    /// # Errors
    /// If one of them cannot be created.
    pub fn ensure_dir(&self, rel: &RelPath) -> Result<()> {
        if *rel == RelPath::top() || self.dir("open folder", rel).is_ok() {
            return Ok(());
        }
        self.ensure_dir(&rel.parent())?;
        self.mkdir(rel).map(drop)
    }

    /// Opens a file for another process to append to, for example as its stdout. Nothing is synced, because the
    /// durability of these bytes is up to that process.
    ///
    /// # Errors
    /// If it cannot be created or opened.
    pub fn open_append(&self, rel: &RelPath) -> Result<OwnedFd> {
        step();
        let file =
            self.own_file("open for appending", rel, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)?;
        // The other process is not to inherit the flag that was only for the open call.
        rustix::fs::fcntl_setfl(&file, OFlags::APPEND).map_err(|e| self.error("open", rel, e))?;
        Ok(file.into())
    }

    pub(super) fn file(&self, op: &'static str, rel: &RelPath, flags: OFlags) -> Result<File> {
        self.file_and_size(op, rel, flags).map(|(file, _)| file)
    }

    /// Opens a regular file, and returns its size, too.
    pub(super) fn file_and_size(
        &self,
        op: &'static str,
        rel: &RelPath,
        flags: OFlags,
    ) -> Result<(File, u64)> {
        // O_NONBLOCK: opening a FIFO in place of a file must not hang.
        let fd = self.open_at(op, rel, flags | OFlags::NONBLOCK)?;
        let file = File::from(fd);
        let meta = file.metadata().map_err(|e| self.error(op, rel, e))?;
        if meta.is_file() {
            if hollow(meta.len(), meta.blocks()) {
                let e = io::Error::new(io::ErrorKind::InvalidInput, "a file that is almost all holes");
                return Err(self.error(op, rel, e));
            }
            Ok((file, meta.len()))
        } else if meta.is_dir() {
            Err(self.error(op, rel, rustix::io::Errno::ISDIR))
        } else {
            Err(self.error(op, rel, io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")))
        }
    }

    /// Opens a file for another process to read, for example as its stdin.
    ///
    /// # Errors
    /// If it is missing or not a regular file.
    pub fn open_fd(&self, rel: &RelPath) -> Result<OwnedFd> {
        let file = self.file("open", rel, OFlags::RDONLY)?;
        // The flag was only for the open call, so the other process does not inherit it.
        rustix::fs::fcntl_setfl(&file, OFlags::empty()).map_err(|e| self.error("open", rel, e))?;
        Ok(file.into())
    }

    /// Returns true if the file system of the root is also written by other machines: inotify does not report their
    /// report.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.file_system().is_some_and(|magic| REMOTE.contains(&magic))
    }

    /// Returns the number of the file system's type, statfs(2); `None` if the kernel call fails.
    #[must_use]
    pub fn file_system(&self) -> Option<u32> {
        u32::try_from(rustix::fs::fstatfs(&self.inner.fd).ok()?.f_type).ok()
    }
}

/// Types of file systems that several machines write, statfs(2): NFS, SMB, CIFS, SMB2, FUSE, Ceph, 9P, Lustre, GPFS.
const REMOTE: [u32; 9] = [
    0x6969,
    0x517B,
    0xFF53_4D42,
    0xFE53_4D42,
    0x6573_5546,
    0x00C3_6400,
    0x0102_1997,
    0x0BD0_0BD0,
    0x4750_4653,
];

/// Returns true if the file system of a path outside of a root is also written by other machines, whose clocks give
/// its files their times.
#[must_use]
pub fn is_remote_outside(path: &Path) -> bool {
    let kind = rustix::fs::statfs(path).ok().and_then(|stat| u32::try_from(stat.f_type).ok());
    kind.is_some_and(|magic| REMOTE.contains(&magic))
}

/// The error for a link, in words that tell more than the kernel's ("too many levels of symbolic links").
fn link() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link, which is not followed")
}

/// Smallest length of a file that may count as hollow.
const HOLLOW_FROM: u64 = 4 << 30;
/// Number of bytes of a hollow file for each byte on the disk, at least. No file system compresses a log this well.
const HOLLOW_RATIO: u64 = 1024;

/// Returns true if a regular file is almost all holes: reading it takes as long as reading a file of its length, and
/// it says nothing.
pub(super) fn is_hollow(stat: &rustix::fs::Stat) -> bool {
    hollow(u64::try_from(stat.st_size).unwrap_or(0), u64::try_from(stat.st_blocks).unwrap_or(0))
}

/// As [`is_hollow`], from the length in bytes and the number of blocks of 512 bytes.
fn hollow(len: u64, blocks: u64) -> bool {
    len > HOLLOW_FROM && blocks.saturating_mul(512).saturating_mul(HOLLOW_RATIO) < len
}
