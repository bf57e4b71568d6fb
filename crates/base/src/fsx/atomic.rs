//! Writes files so that a reader, and a crash at any instant, sees either the old file or the new one.

use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{
    error::{FsErrorKind, Result, found},
    rel::RelPath,
    root::{FILE_MODE, Root},
    steps::step,
};

/// Result of a [`Root::publish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Our file was published.
    Ours,
    /// Another writer's file existed. It is left unchanged.
    AlreadyThere,
}

/// The time at which the content of a file becomes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// Before the file gets its name.
    Now,
    /// When the caller syncs it.
    Later,
}

/// Prefix of temporary files, so that `fsck` recognizes the files that a crash left behind.
const TEMP_PREFIX: &str = ".tmp-";
/// Prefix of reserved files.
pub(super) const RESERVED_PREFIX: &str = ".reserved-";

/// The kind of a file that does not have its final name yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfinishedFile {
    /// Written by [`Root::replace`] or [`Root::publish`], in the process with this id.
    Temporary(i32),
    /// Space reserved by [`Root::reserve`].
    Reserved,
}

impl UnfinishedFile {
    /// Classifies a file name; `None` for an ordinary name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if name.starts_with(RESERVED_PREFIX) {
            return Some(Self::Reserved);
        }
        let (writer, rest) = name.strip_prefix(TEMP_PREFIX)?.split_once('-')?;
        let (number, _) = rest.split_once('-')?;
        // Names chosen by other programs may begin with this prefix, too.
        number.parse::<u64>().ok()?;
        writer.parse().ok().map(Self::Temporary)
    }
}

/// A complete file without a name. Dropping it without naming it removes it.
#[derive(Debug)]
#[must_use = "it is gone when this is dropped"]
pub struct Unnamed {
    root: Root,
    dir: OwnedFd,
    temp: Option<String>,
}

impl Unnamed {
    /// Gives the file its name, durably, in its folder or in another one. An existing file of that name is replaced.
    ///
    /// # Errors
    /// If the file cannot be renamed; it is removed then. If the sync after the rename fails, the file keeps its new
    /// name.
    pub fn name(mut self, rel: &RelPath) -> Result<()> {
        // The folder that it leaves need not be synced: it had no name there that counts.
        let target = self.root.parent_to_change("write", rel)?;
        if let Some(temp) = self.temp.take() {
            self.root.rename_temp((&self.dir, &temp), (&target, rel))?;
        }
        self.root.sync_dir(&target, &rel.parent())
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let Some(temp) = &self.temp {
            // If this fails, `fsck` finds the file later.
            let _ = rustix::fs::unlinkat(&self.dir, temp.as_str(), AtFlags::empty());
        }
    }
}

impl Root {
    /// Replaces or creates a complete file, durably.
    ///
    /// # Errors
    /// The old content is kept if anything fails.
    pub fn replace(&self, rel: &RelPath, bytes: &[u8]) -> Result<()> {
        let dir = self.parent_to_change("write", rel)?;
        let (temp, _) = self.write_temp(&dir, rel, bytes, Sync::Now)?;
        self.rename_temp((&dir, &temp), (&dir, rel))?;
        self.sync_dir(&dir, &rel.parent())
    }

    /// Replaces or creates a complete file, and returns it so that the caller makes it durable.
    pub(super) fn replace_unsynced(&self, rel: &RelPath, bytes: &[u8]) -> Result<File> {
        let dir = self.parent_to_change("write", rel)?;
        let (temp, file) = self.write_temp(&dir, rel, bytes, Sync::Later)?;
        self.rename_temp((&dir, &temp), (&dir, rel))?;
        Ok(file)
    }

    /// Creates a complete file that will get a name in `folder`, and returns it so that the caller makes it durable.
    pub(super) fn write_unnamed(&self, folder: &RelPath, bytes: &[u8]) -> Result<(Unnamed, File)> {
        self.may_change("write", folder)?;
        let dir = self.dir("write", folder)?;
        let (temp, file) = self.write_temp(&dir, &folder.join("unnamed"), bytes, Sync::Later)?;
        Ok((Unnamed { root: self.clone(), dir, temp: Some(temp) }, file))
    }

    fn rename_temp(&self, (dir, temp): (&OwnedFd, &str), (target, rel): (&OwnedFd, &RelPath)) -> Result<()> {
        // A rename would replace anything but a folder without a trace.
        let aside = self.set_aside(rel);
        aside
            .and_then(|()| {
                self.freeing(rel, || {
                    step();
                    rustix::fs::renameat(dir, temp, target, rel.name())
                        .map_err(|e| self.error("replace", rel, e))
                })
            })
            .inspect_err(|_| {
                let _ = rustix::fs::unlinkat(dir, temp, AtFlags::empty());
            })
    }

    /// Creates a complete file, durably, only if there is none. Of several writers, one wins.
    ///
    /// # Errors
    /// If the file cannot be written. No file exists then.
    pub fn publish(&self, rel: &RelPath, bytes: &[u8]) -> Result<Published> {
        let dir = self.parent_to_change("write", rel)?;
        let (temp, _) = self.write_temp(&dir, rel, bytes, Sync::Now)?;
        let published = self.link(&dir, &temp, rel);
        step();
        let unlinked = rustix::fs::unlinkat(&dir, &temp, AtFlags::empty());
        let published = published?;
        unlinked.map_err(|e| self.error("remove the temporary name of", rel, e))?;
        self.sync_dir(&dir, &rel.parent())?;
        Ok(published)
    }

    /// Gives a complete file its second, final name, unless a file has that name.
    pub(super) fn link(&self, dir: &OwnedFd, temp: &str, rel: &RelPath) -> Result<Published> {
        self.freeing(rel, || {
            step();
            match rustix::fs::linkat(dir, temp, dir, rel.name(), AtFlags::empty()) {
                Ok(()) => Ok(Published::Ours),
                Err(rustix::io::Errno::EXIST) => self.is_taken(rel).map(|()| Published::AlreadyThere),
                Err(e) => Err(self.error("publish", rel, e)),
            }
        })
    }

    /// Succeeds if a name that exists has a regular file.
    fn is_taken(&self, rel: &RelPath) -> Result<()> {
        match self.wrong_kind(rel)? {
            None => Ok(()),
            Some(kind) => {
                let e = std::io::Error::new(std::io::ErrorKind::InvalidInput, kind);
                Err(self.error("use the name of", rel, e))
            }
        }
    }

    /// Creates an empty marker file. Returns `false` if it existed already.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn mark(&self, rel: &RelPath) -> Result<bool> {
        let dir = self.parent_to_change("mark", rel)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = self.freeing(rel, || {
            step();
            match rustix::fs::openat(&dir, rel.name(), flags, FILE_MODE) {
                Ok(_) => Ok(true),
                Err(rustix::io::Errno::EXIST) => self.is_taken(rel).map(|()| false),
                Err(e) => Err(self.error("mark", rel, e)),
            }
        })?;
        if made {
            self.sync_dir(&dir, &rel.parent())?;
        }
        Ok(made)
    }

    /// Creates a marker, as [`Root::mark`]. If no file can be created because the disk has no inode left, or no quota,
    /// the marker becomes one more name of `other`, a file in the same folder.
    ///
    /// # Errors
    /// If neither is possible.
    pub fn mark_anyhow(&self, rel: &RelPath, other: &RelPath) -> Result<bool> {
        match self.mark(rel) {
            Err(e) if e.kind() == FsErrorKind::Full => {
                let dir = self.parent_to_change("mark", rel)?;
                step();
                match rustix::fs::linkat(&dir, other.name(), &dir, rel.name(), AtFlags::empty()) {
                    Ok(()) => Ok(true),
                    Err(rustix::io::Errno::EXIST) => Ok(false),
                    // The first error says what is wrong.
                    Err(_) => Err(e),
                }
            }
            result => result,
        }
    }

    /// Removes a file durably. Returns `false` if there was none; a folder in its place is set aside.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove(&self, rel: &RelPath) -> Result<bool> {
        let Some(dir) = found(self.parent_to_change("remove", rel))? else { return Ok(false) };
        step();
        match rustix::fs::unlinkat(&dir, rel.name(), AtFlags::empty()) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) => return Ok(false),
            Err(rustix::io::Errno::ISDIR) => return self.set_aside(rel).map(|()| false),
            Err(e) => return Err(self.error("remove", rel, e)),
        }
        self.sync_dir(&dir, &rel.parent())?;
        Ok(true)
    }

    /// Moves a file or folder within the root, durably. An existing file at the target is replaced.
    ///
    /// # Errors
    /// If the source is missing, or the target is a folder that is not empty.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        let (source, target) = self.rename_unsynced(from, to)?;
        self.sync_dir(&target, &to.parent())?;
        if from.parent() == to.parent() { Ok(()) } else { self.sync_dir(&source, &from.parent()) }
    }

    /// Moves a file or folder, and returns both folders so that the caller makes the move durable.
    pub(super) fn rename_unsynced(&self, from: &RelPath, to: &RelPath) -> Result<(OwnedFd, OwnedFd)> {
        let source = self.parent_to_change("rename", from)?;
        let target = self.parent_to_change("rename", to)?;
        step();
        rustix::fs::renameat(&source, from.name(), &target, to.name())
            .map_err(|e| self.error("rename", from, e))?;
        Ok((source, target))
    }

    /// Removes a folder with everything in it. Links in it are removed, not followed.
    ///
    /// # Errors
    /// If a file in it cannot be removed. Other files may have been removed by then.
    pub fn remove_tree(&self, rel: &RelPath) -> Result<()> {
        let dir = self.parent_to_change("remove", rel)?;
        step();
        match std::fs::remove_dir_all(self.absolute(rel)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(self.error("remove", rel, e)),
            _ => self.sync_dir(&dir, &rel.parent()),
        }
    }

    fn write_temp(&self, dir: &OwnedFd, rel: &RelPath, bytes: &[u8], sync: Sync) -> Result<(String, File)> {
        let (name, file) = self.temp(dir, rel)?;
        let mut file = File::from(file);
        step();
        let written = file.write_all(bytes).and_then(|()| match sync {
            Sync::Now => {
                step();
                file.sync_data()
            }
            Sync::Later => Ok(()),
        });
        if let Err(e) = written {
            let _ = rustix::fs::unlinkat(dir, &name, AtFlags::empty());
            return Err(self.error("write", rel, e));
        }
        Ok((name, file))
    }

    /// Creates a new, empty file beside `rel` under a unique name.
    fn temp(&self, dir: &OwnedFd, rel: &RelPath) -> Result<(String, OwnedFd)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let pid = std::process::id();
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{TEMP_PREFIX}{pid}-{n}-{}", rel.name());
            step();
            match rustix::fs::openat(dir, &name, flags, Mode::from_raw_mode(0o600)) {
                Ok(fd) => return Ok((name, fd)),
                // Left behind by an earlier process with our pid.
                Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(self.error("write", rel, e)),
            }
        }
    }
}
