//! Files that come from outside of the root, and folders that exist only as long as they are needed. None of them is
//! durable by itself.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{Mode, OFlags};

use super::{
    error::{FsError, Result, found},
    rel::RelPath,
    root::{DIR_MODE, Durability, Root},
    steps::step,
};

impl Root {
    /// Copies a regular file from outside of the root, its modification time included, and overwrites the file at
    /// `rel`. Returns `false` if there is no file to copy.
    ///
    /// Nothing is synced, because the caller can copy again.
    ///
    /// # Errors
    /// If one of the two files cannot be opened, or the disk fails.
    pub fn copy_in(&self, from: &Path, rel: &RelPath) -> Result<bool> {
        let Some(mut source) = found(open_outside(from))? else { return Ok(false) };
        let fail = |e: io::Error| self.error("copy to", rel, e);
        let time = source.metadata().and_then(|m| m.modified()).map_err(fail)?;
        step();
        let mut target = self.file("copy to", rel, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        io::copy(&mut source, &mut target).map_err(fail)?;
        target.set_modified(time).map_err(fail)?;
        Ok(true)
    }
}

impl Root {
    /// Creates a file from the content of `source`, at most `most` bytes. Nothing is synced.
    ///
    /// # Errors
    /// If the file exists already, the source fails, or it has more bytes.
    pub fn fill_new(&self, rel: &RelPath, source: &mut impl io::Read, most: u64) -> Result<u64> {
        step();
        let mut target = self.file("create", rel, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        let written = io::copy(&mut io::Read::take(source, most + 1), &mut target)
            .map_err(|e| self.error("write", rel, e))?;
        if written > most {
            let why = format!("larger than {most} bytes");
            return Err(self.error("write", rel, io::Error::new(io::ErrorKind::FileTooLarge, why)));
        }
        Ok(written)
    }

    /// Creates a folder with its missing parents, for files that may be lost in a power cut.
    ///
    /// # Errors
    /// If one of them cannot be created.
    pub fn ensure_passing_dir(&self, rel: &RelPath) -> Result<()> {
        if *rel == RelPath::top() {
            return Ok(());
        }
        self.ensure_passing_dir(&rel.parent())?;
        let parent = self.parent_to_change("create folder", rel)?;
        step();
        match rustix::fs::mkdirat(&parent, rel.name(), DIR_MODE) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(e) => Err(self.error("create folder", rel, e)),
        }
    }

    /// Waits until everything on the root's file system is durable, also what other programs have written there: for
    /// more files than could be synced one by one.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync_file_system(&self) -> Result<()> {
        step();
        rustix::fs::syncfs(self.fd()).map_err(|e| self.error("sync the file system of", &RelPath::top(), e))
    }

    /// Writes a file that may be missing or incomplete after a power cut or a crash.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write_passing(&self, rel: &RelPath, bytes: &[u8]) -> Result<()> {
        step();
        let mut file = self.file("write", rel, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        file.write_all(bytes).map_err(|e| self.error("write", rel, e))
    }
}

/// Opens a regular file that is not below a root, to be read from its beginning.
///
/// # Errors
/// If it is missing, or not a regular file.
pub fn open_outside(path: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| FsError::new("open", path, e))?;
    let file = File::from(fd);
    match file.metadata() {
        Ok(meta) if meta.is_file() => Ok(file),
        Ok(_) => {
            let e = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            Err(FsError::new("open", path, e))
        }
        Err(e) => Err(FsError::new("stat", path, e)),
    }
}

/// A folder of our own with a unique name. Dropping it removes it with everything in it.
#[derive(Debug)]
pub struct Scratch(Root);

impl Scratch {
    /// Creates a folder below `parent`, which must exist.
    ///
    /// # Errors
    /// If the parent cannot be written.
    pub fn new(parent: &Path) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("run-agent-{pid}-{n}"));
            match std::fs::DirBuilder::new().mode(DIR_MODE.as_raw_mode()).create(&path) {
                Ok(()) => return Ok(Self(Root::open(&path, Durability::Never)?)),
                // Left behind by an earlier process with our pid, or created by another program.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(FsError::new("create folder", &path, e)),
            }
        }
    }

    /// Returns the folder as a root.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, the rest stays among the machine's temporary files.
        let _ = std::fs::remove_dir_all(self.0.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_gone_with_its_last_user() {
        let parent = tempfile::tempdir().unwrap();
        let (one, other) = (Scratch::new(parent.path()).unwrap(), Scratch::new(parent.path()).unwrap());
        assert_ne!(one.root().path(), other.root().path());
        one.root().replace(&RelPath::top().join("file"), b"text").unwrap();
        let path = one.root().path().to_owned();
        drop(one);
        assert!(!path.exists() && other.root().path().exists());
    }

    #[test]
    fn a_copy_has_the_time_of_its_source() {
        let outside = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(outside.path()).unwrap();
        let (from, to) = (outside.path().join("index"), RelPath::top().join("copy"));
        assert!(!scratch.root().copy_in(&from, &to).unwrap());
        std::fs::write(&from, "text").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        File::options().write(true).open(&from).unwrap().set_modified(long_ago).unwrap();
        assert!(scratch.root().copy_in(&from, &to).unwrap());
        let copied = scratch.root().stat(&to).unwrap().unwrap();
        assert_eq!((copied.len, copied.modified_ns), (4, 1_000_000_000_000_000));
    }
}
