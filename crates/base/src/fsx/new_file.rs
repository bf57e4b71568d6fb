//! A file outside of the root that a user asked for. It is complete or absent.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::error::{FsError, Result};

/// A file that does not have its final name yet, readable by its owner only. Dropping it before [`NewFile::finish`]
/// removes it.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Begins a file that will have this name.
    ///
    /// # Errors
    /// If the name is taken, or the folder cannot be written.
    pub fn begin(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|e| FsError::new("resolve", path, e))?;
        if path.symlink_metadata().is_ok() {
            return Err(FsError::new("create", &path, rustix::io::Errno::EXIST));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!(".tmp-{}-{name}", std::process::id()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(&temporary, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| FsError::new("create", &path, e))?;
        Ok(Self { file: File::from(fd), temporary, path })
    }

    /// Gives the file its name, if the name is still free.
    ///
    /// # Errors
    /// If the name is taken by now, or the disk fails. No new file exists then.
    pub fn finish(self) -> Result<()> {
        let fail = |e: io::Error| FsError::new("write", &self.path, e);
        self.file.sync_all().map_err(fail)?;
        std::fs::hard_link(&self.temporary, &self.path).map_err(fail)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // The file has its final name now, or is discarded.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut half = NewFile::begin(&path).unwrap();
        half.write_all(b"half").unwrap();
        drop(half);
        assert!(!path.exists());
        let mut whole = NewFile::begin(&path).unwrap();
        whole.write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert!(NewFile::begin(&path).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
