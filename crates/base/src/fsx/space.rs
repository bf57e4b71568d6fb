//! Space on the disk: the free and the total size of a file system, and reserving some of it for a file.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use super::{error::Result, rel::RelPath, root::Root};

impl Root {
    /// Returns the number of bytes that an unprivileged user may still write on this file system.
    ///
    /// # Errors
    /// If the kernel call fails.
    pub fn free_bytes(&self) -> Result<u64> {
        Ok(self.space("ask for free space of")?.available_space())
    }

    /// Returns the total size of this file system in bytes.
    ///
    /// # Errors
    /// If the kernel call fails.
    pub fn total_bytes(&self) -> Result<u64> {
        Ok(self.space("ask for the size of")?.total_space())
    }

    fn space(&self, doing: &'static str) -> Result<fs2::FsStats> {
        // The open folder itself, so that a rename of it does no harm.
        let folder = format!("/proc/self/fd/{}", self.fd().as_raw_fd());
        fs2::statvfs(folder).map_err(|e| self.error(doing, &RelPath::top(), e))
    }
}

/// Reserves space for `len` bytes, so that writing them does not fail when the disk is full.
pub(super) fn take(file: &File, len: usize) -> io::Result<()> {
    match fs2::FileExt::allocate(file, len as u64) {
        // File systems that cannot reserve space can at least store zeros.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {
            file.write_all_at(&vec![0; len], 0)?;
            file.sync_data()
        }
        result => result,
    }
}
