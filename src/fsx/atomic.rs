//! Writing so that a reader, and a crash at any instant, meets the old file or the new one.

use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{
    error::{Result, found},
    rel::RelPath,
    root::{FILE_MODE, Root},
    steps::step,
};

/// Whether a [`Root::publish`] was the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The file is ours.
    Ours,
    /// Somebody else's was there; it was left as it is.
    AlreadyThere,
}

/// When the contents of a file are to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// Before it gets its name.
    Now,
    /// When whoever writes it says so.
    Later,
}

/// Temporary files start with this, so that `fsck` knows what a crash left behind.
const TEMP_PREFIX: &str = ".tmp-";
/// Reserved room starts with this.
pub(super) const RESERVED_PREFIX: &str = ".reserved-";

/// What a file is that has not got its own name yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnItsWay {
    /// Written by [`Root::replace`] or [`Root::publish`], in the process with this id.
    Temporary(i32),
    /// Room taken by [`Root::reserve`].
    Reserved,
}

impl OnItsWay {
    /// What a name says; `None` for a name that somebody chose.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if name.starts_with(RESERVED_PREFIX) {
            return Some(Self::Reserved);
        }
        let (writer, rest) = name.strip_prefix(TEMP_PREFIX)?.split_once('-')?;
        let (number, _) = rest.split_once('-')?;
        // Others may begin their names like this, too.
        number.parse::<u64>().ok()?;
        writer.parse().ok().map(Self::Temporary)
    }
}

/// A file that is whole and has no name yet; dropped without one, it is gone.
#[derive(Debug)]
#[must_use = "it is gone when this is dropped"]
pub struct Unnamed {
    root: Root,
    folder: RelPath,
    dir: OwnedFd,
    temp: Option<String>,
}

impl Unnamed {
    /// Gives it its name, durably; a file that has it is replaced.
    ///
    /// # Errors
    /// If it cannot be renamed; then it is gone. If the sync behind that fails, it stands there.
    pub fn name(mut self, name: impl AsRef<str>) -> Result<()> {
        let rel = self.folder.join(name);
        if let Some(temp) = self.temp.take() {
            self.root.rename_temp(&self.dir, &temp, &rel)?;
        }
        self.root.sync_dir(&self.dir, &self.folder)
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if let Some(temp) = &self.temp {
            // What stays for want of this is found by `fsck`.
            let _ = rustix::fs::unlinkat(&self.dir, temp.as_str(), AtFlags::empty());
        }
    }
}

impl Root {
    /// Replaces (or makes) a file whole and durably.
    ///
    /// # Errors
    /// The old content stays if anything fails.
    pub fn replace(&self, rel: &RelPath, bytes: &[u8]) -> Result<()> {
        let dir = self.dir("write", &rel.parent())?;
        let (temp, _) = self.write_temp(&dir, rel, bytes, Sync::Now)?;
        self.rename_temp(&dir, &temp, rel)?;
        self.sync_dir(&dir, &rel.parent())
    }

    /// Replaces (or makes) a file whole, and gives it to whoever makes it durable.
    pub(super) fn replace_unsynced(&self, rel: &RelPath, bytes: &[u8]) -> Result<File> {
        let dir = self.dir("write", &rel.parent())?;
        let (temp, file) = self.write_temp(&dir, rel, bytes, Sync::Later)?;
        self.rename_temp(&dir, &temp, rel)?;
        Ok(file)
    }

    /// Makes a file whole that is to get a name in `folder`, and gives it to whoever makes it durable.
    pub(super) fn write_unnamed(&self, folder: &RelPath, bytes: &[u8]) -> Result<(Unnamed, File)> {
        let dir = self.dir("write", folder)?;
        let (temp, file) = self.write_temp(&dir, &folder.join("unnamed"), bytes, Sync::Later)?;
        Ok((Unnamed { root: self.clone(), folder: folder.clone(), dir, temp: Some(temp) }, file))
    }

    fn rename_temp(&self, dir: &OwnedFd, temp: &str, rel: &RelPath) -> Result<()> {
        step();
        rustix::fs::renameat(dir, temp, dir, rel.name()).map_err(|e| {
            let _ = rustix::fs::unlinkat(dir, temp, AtFlags::empty());
            self.error("replace", rel, e)
        })
    }

    /// Makes a file whole and durably, only if there is none: of several writers, one wins.
    ///
    /// # Errors
    /// If it cannot be written; then nothing is there.
    pub fn publish(&self, rel: &RelPath, bytes: &[u8]) -> Result<Published> {
        let dir = self.dir("write", &rel.parent())?;
        let (temp, _) = self.write_temp(&dir, rel, bytes, Sync::Now)?;
        step();
        let linked = rustix::fs::linkat(&dir, &temp, &dir, rel.name(), AtFlags::empty());
        step();
        let unlinked = rustix::fs::unlinkat(&dir, &temp, AtFlags::empty());
        let published = match linked {
            Ok(()) => Published::Ours,
            Err(rustix::io::Errno::EXIST) => Published::AlreadyThere,
            Err(e) => return Err(self.error("publish", rel, e)),
        };
        unlinked.map_err(|e| self.error("remove the temporary name of", rel, e))?;
        self.sync_dir(&dir, &rel.parent())?;
        Ok(published)
    }

    /// Makes an empty marker file. `false`: it was there already.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn mark(&self, rel: &RelPath) -> Result<bool> {
        let dir = self.dir("mark", &rel.parent())?;
        step();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match rustix::fs::openat(&dir, rel.name(), flags, FILE_MODE) {
            Ok(_) => {}
            Err(rustix::io::Errno::EXIST) => return Ok(false),
            Err(e) => return Err(self.error("mark", rel, e)),
        }
        self.sync_dir(&dir, &rel.parent())?;
        Ok(true)
    }

    /// Removes a file durably. `false`: there was none.
    ///
    /// # Errors
    /// If it is a folder or the disk fails.
    pub fn remove(&self, rel: &RelPath) -> Result<bool> {
        let Some(dir) = found(self.dir("remove", &rel.parent()))? else { return Ok(false) };
        step();
        match rustix::fs::unlinkat(&dir, rel.name(), AtFlags::empty()) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) => return Ok(false),
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
        let source = self.dir("rename", &from.parent())?;
        let target = self.dir("rename", &to.parent())?;
        step();
        rustix::fs::renameat(&source, from.name(), &target, to.name())
            .map_err(|e| self.error("rename", from, e))?;
        self.sync_dir(&target, &to.parent())?;
        if from.parent() == to.parent() { Ok(()) } else { self.sync_dir(&source, &from.parent()) }
    }

    /// Removes a folder with everything in it; links in it are removed, not followed.
    ///
    /// # Errors
    /// If something in it cannot be removed; the rest may be gone by then.
    pub fn remove_tree(&self, rel: &RelPath) -> Result<()> {
        let dir = self.dir("remove", &rel.parent())?;
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

    /// Makes a new, empty file beside `rel` under a name that nobody else has.
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
                // Left by a process that had our number before us.
                Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(self.error("write", rel, e)),
            }
        }
    }
}
