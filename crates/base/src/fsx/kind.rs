//! Things of the wrong kind at our names: a link, a folder, a pipe, a socket, a device, or a file that is almost all
//! holes. An agent may leave any of them where this program keeps a file.
//!
//! None of them is followed, opened to wait, or read. A reader takes the file for absent; a writer moves the thing aside
//! and makes its file, so that nothing that an agent leaves behind stops a task.

use std::{fs::File, os::fd::OwnedFd};

use rustix::fs::{AtFlags, FileType, OFlags, RenameFlags};

use super::{
    error::{FsError, FsErrorKind, Result, found},
    read::EntryKind,
    rel::RelPath,
    root::{Root, is_hollow},
    steps::step,
};

/// Stands between the name at which a thing of the wrong kind was found and a number.
const SET_ASIDE: &str = ".set-aside-";
/// Number of attempts to get the name, against a process that puts things there again and again.
const TRIES: u32 = 8;

/// Returns our name at which a thing stood that was set aside; `None` for any other file name.
#[must_use]
pub fn set_aside_from(name: &str) -> Option<&str> {
    let (name, number) = name.rsplit_once(SET_ASIDE)?;
    number.parse::<u32>().ok().map(|_| name)
}

/// Turns the errors for a missing file and for a thing of the wrong kind into `None`.
///
/// # Errors
/// Every other error, unchanged.
pub fn if_file<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(e) if e.is_wrong_kind() => Ok(None),
        result => found(result),
    }
}

impl FsError {
    /// Returns true if there is something at the path, and it is not a regular file.
    #[must_use]
    pub fn is_wrong_kind(&self) -> bool {
        matches!(self.kind(), FsErrorKind::NotAFile | FsErrorKind::Escapes)
    }
}

/// An open folder that tells if it was removed.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Returns true if the folder was removed. A folder that was renamed is still there.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        match rustix::fs::fstat(&self.0) {
            Ok(stat) => stat.st_nlink == 0,
            // The answer of a file server for a folder that another machine has removed.
            Err(e) => e == rustix::io::Errno::STALE,
        }
    }
}

impl Root {
    /// Opens a folder, to ask later if it was removed.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn open_folder(&self, rel: &RelPath) -> Result<Folder> {
        self.dir("open folder", rel).map(Folder)
    }

    /// Checks that the folder of the root is still at its path. A process that has it open can use a renamed root, but a
    /// process that gets the path cannot.
    ///
    /// # Errors
    /// [`FsErrorKind::Moved`] if it was renamed, removed or replaced.
    pub fn must_be_in_place(&self) -> Result<()> {
        let id = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let ours = rustix::fs::fstat(self.fd()).map(id).ok();
        let moved = match rustix::fs::stat(self.path()) {
            Ok(there) => ours != Some(id(there)),
            Err(e) => e == rustix::io::Errno::NOENT,
        };
        if moved { Err(FsError::moved(self.path())) } else { Ok(()) }
    }

    /// Returns true if a regular file is at the path. A thing of the wrong kind counts as absent.
    ///
    /// # Errors
    /// If the folder cannot be searched.
    pub fn is_file(&self, rel: &RelPath) -> Result<bool> {
        Ok(self.stat(rel)?.is_some_and(|stat| stat.kind == EntryKind::File))
    }

    /// Reads a file of at most `max` bytes; `None` if there is none, or a thing of the wrong kind.
    ///
    /// # Errors
    /// [`FsErrorKind::TooLarge`] if it is larger than `max`. Nothing is read then.
    pub fn read_if_file(&self, rel: &RelPath, max: u64) -> Result<Option<Vec<u8>>> {
        if_file(self.open_and_read(rel, max))
    }

    /// Describes the thing at a path that is no regular file; `None` if the path is free or has a file.
    ///
    /// # Errors
    /// If the folder cannot be searched.
    pub fn wrong_kind(&self, rel: &RelPath) -> Result<Option<&'static str>> {
        let Some(fd) = found(self.open_at("stat", rel, OFlags::PATH | OFlags::NOFOLLOW))? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| self.error("stat", rel, e))?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => is_hollow(&stat).then_some("a file that is almost all holes"),
            FileType::Symlink => Some("a symbolic link"),
            FileType::Directory => Some("a folder"),
            FileType::Fifo => Some("a pipe"),
            FileType::Socket => Some("a socket"),
            _ => Some("a device"),
        })
    }

    /// Moves a thing of the wrong kind away from a name of ours, so that the name is free. A regular file stays.
    ///
    /// # Errors
    /// If the thing cannot be renamed.
    pub fn set_aside(&self, rel: &RelPath) -> Result<()> {
        let Some(kind) = self.wrong_kind(rel)? else { return Ok(()) };
        let dir = self.parent_to_change("set aside", rel)?;
        for number in 1.. {
            let aside = format!("{}{SET_ASIDE}{number}", rel.name());
            step();
            match rustix::fs::renameat_with(&dir, rel.name(), &dir, &aside, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    let path = self.absolute(rel);
                    tracing::warn!(path = %path.display(), kind, aside, "not a regular file; it was set aside");
                    break;
                }
                // The process that put it there has removed it.
                Err(rustix::io::Errno::NOENT) => break,
                Err(rustix::io::Errno::EXIST) => {}
                // A file system without this flag (NFS).
                Err(rustix::io::Errno::INVAL) => {
                    if rustix::fs::statat(&dir, &aside, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                        continue;
                    }
                    rustix::fs::renameat(&dir, rel.name(), &dir, &aside)
                        .map_err(|e| self.error("set aside", rel, e))?;
                    break;
                }
                Err(e) => return Err(self.error("set aside", rel, e)),
            }
        }
        Ok(())
    }

    /// Opens a file of ours to write it. A thing of the wrong kind at its name is set aside first.
    pub(super) fn own_file(&self, op: &'static str, rel: &RelPath, flags: OFlags) -> Result<File> {
        self.freeing(rel, || self.file(op, rel, flags))
    }

    /// Calls `write`, which needs a name of ours. If a thing of the wrong kind has it, sets that aside and calls again.
    pub(super) fn freeing<T>(&self, rel: &RelPath, mut write: impl FnMut() -> Result<T>) -> Result<T> {
        let mut tries = 0;
        loop {
            match write() {
                Err(e) if e.is_wrong_kind() && tries < TRIES => {
                    tries += 1;
                    self.set_aside(rel)?;
                }
                result => return result,
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test makes what an agent may leave")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fsx::{Durability, Holder, LockAttempt, Published};

    /// Every thing of the wrong kind, by the words for it.
    fn make(kind: &str, path: &Path) {
        let mode = nix::sys::stat::Mode::S_IRWXU;
        match kind {
            "a symbolic link" => std::os::unix::fs::symlink("victim", path).unwrap(),
            "a folder" => std::fs::create_dir_all(path.join("with/content")).unwrap(),
            "a pipe" => nix::unistd::mkfifo(path, mode).unwrap(),
            "a socket" => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            _ => std::fs::File::create(path).unwrap().set_len(20 << 30).unwrap(),
        }
    }

    const KINDS: [&str; 5] =
        ["a symbolic link", "a folder", "a pipe", "a socket", "a file that is almost all holes"];

    #[test]
    fn a_reader_takes_it_for_absent_and_a_writer_gets_the_name() {
        type Write = fn(&Root, &RelPath) -> bool;
        let writers: [(&str, Write); 7] = [
            ("replace", |root, rel| root.replace(rel, b"ours").is_ok()),
            ("publish", |root, rel| root.publish(rel, b"ours").unwrap() == Published::Ours),
            ("mark", |root, rel| root.mark(rel).unwrap()),
            ("append", |root, rel| root.append(rel, |_| Ok::<_, FsError>((b"ours\n".to_vec(), ()))).is_ok()),
            ("open", |root, rel| root.open_append(rel).is_ok()),
            ("lock", |root, rel| {
                matches!(root.try_lock(rel, &Holder::named("us")).unwrap(), LockAttempt::Taken(_))
            }),
            ("reserve", |root, rel| {
                let room = root.reserve(rel, 100).unwrap();
                room.publish(rel, b"ours").unwrap() == Published::Ours
            }),
        ];
        for kind in KINDS {
            for (writer, write) in &writers {
                let folder = tempfile::tempdir().unwrap();
                let root = Root::open(folder.path(), Durability::Always).unwrap();
                std::fs::write(folder.path().join("victim"), "theirs").unwrap();
                let rel = RelPath::new("name").unwrap();
                make(kind, &folder.path().join("name"));
                assert!(!root.is_file(&rel).unwrap(), "{kind}");
                assert_eq!(root.read_if_file(&rel, 100).unwrap(), None, "{kind}");
                assert!(root.read_opt(&rel, 100).unwrap_err().is_wrong_kind(), "{kind}");
                assert!(!root.is_locked(&rel).unwrap(), "{kind}");
                assert_eq!(root.wrong_kind(&rel).unwrap(), Some(kind));
                assert!(write(&root, &rel), "{kind}, {writer}");
                assert!(root.is_file(&rel).unwrap(), "{kind}, {writer}");
                assert_eq!(
                    std::fs::read(folder.path().join("victim")).unwrap(),
                    b"theirs",
                    "{kind}, {writer}"
                );
            }
        }
    }

    #[test]
    fn what_is_set_aside_keeps_its_content_and_its_name_tells_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path(), Durability::Never).unwrap();
        let rel = RelPath::new("name").unwrap();
        for number in 1..=2 {
            make("a folder", &folder.path().join("name"));
            root.replace(&rel, b"ours").unwrap();
            assert!(folder.path().join(format!("name.set-aside-{number}/with/content")).is_dir());
            root.set_aside(&rel).unwrap();
            assert!(root.remove(&rel).unwrap(), "a regular file stays");
        }
        make("a folder", &folder.path().join("name"));
        assert!(!root.remove(&rel).unwrap() && root.wrong_kind(&rel).unwrap().is_none());
        assert_eq!(set_aside_from("output.md.set-aside-12"), Some("output.md"));
        for name in ["output.md", "output.md.set-aside-", "output.md.set-aside-x"] {
            assert_eq!(set_aside_from(name), None, "{name}");
        }
    }
}
