//! Reserves space on the disk for a file that must be writable later even if the disk is full.

use std::{fs::File, os::unix::fs::FileExt};

use rustix::fs::{AtFlags, OFlags};

use super::{
    atomic::{Published, RESERVED_PREFIX},
    error::Result,
    rel::RelPath,
    root::Root,
    space,
    steps::step,
};

/// Reserved space. [`Reserved::publish`] turns it into the file.
#[derive(Debug)]
pub struct Reserved {
    root: Root,
    hidden: RelPath,
    file: File,
    len: usize,
}

impl Root {
    /// Returns the path of the space that is reserved for a file.
    #[must_use]
    pub fn reserved_for(rel: &RelPath) -> RelPath {
        rel.parent().join(format!("{RESERVED_PREFIX}{}", rel.name()))
    }

    /// Reserves `len` bytes for the file that will be at `rel`.
    ///
    /// # Errors
    /// If the disk does not have the space now.
    pub fn reserve(&self, rel: &RelPath, len: usize) -> Result<Reserved> {
        let hidden = Self::reserved_for(rel);
        step();
        let file = self.own_file("reserve room for", &hidden, OFlags::RDWR | OFlags::CREATE)?;
        step();
        space::take(&file, len).map_err(|e| self.error("reserve room for", rel, e))?;
        Ok(Reserved { root: self.clone(), hidden, file, len })
    }
}

impl Reserved {
    /// Releases the space.
    pub fn discard(self) {
        // If this fails, a hidden file stays, which `fsck` recognizes.
        let _ = self.root.remove(&self.hidden);
    }

    /// Writes the file into the reserved space and gives it its name, durably. The first of several publishers wins.
    ///
    /// # Errors
    /// If `bytes` exceed the reservation and the disk is full, or if the disk fails.
    pub fn publish(self, rel: &RelPath, bytes: &[u8]) -> Result<Published> {
        let Self { root, hidden, file, len } = self;
        debug_assert!(bytes.len() <= len, "{} bytes, {len} reserved", bytes.len());
        step();
        file.write_all_at(bytes, 0)
            .and_then(|()| file.set_len(bytes.len() as u64))
            .and_then(|()| {
                step();
                file.sync_all()
            })
            .map_err(|e| root.error("write", rel, e))?;
        let dir = root.dir("publish", &rel.parent())?;
        let published = root.link(&dir, hidden.name(), rel)?;
        step();
        rustix::fs::unlinkat(&dir, hidden.name(), AtFlags::empty())
            .map_err(|e| root.error("remove the temporary name of", rel, e))?;
        root.sync_dir(&dir, &rel.parent())?;
        Ok(published)
    }
}
