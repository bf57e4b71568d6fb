//! Locks that show if a process is alive: open-file-description locks. The kernel releases them when the holder
//! crashes, and they can be queried without being taken.

use std::{
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{FileExt, MetadataExt},
    },
};

use nix::fcntl::{FcntlArg, fcntl};
use rustix::fs::OFlags;

use super::{
    error::{FsErrorKind, Result},
    holder::Holder,
    rel::RelPath,
    root::Root,
    steps::step,
};

/// A lock that this process holds until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Writes another holder into the lock's file, for a part of this process that goes on with the lock.
    pub fn sign(&self, holder: &Holder) {
        sign(&self.file, holder);
    }
}

impl AsFd for Lock {
    /// Any process that has a copy of this descriptor holds the lock, too.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Result of trying to take a lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// The lock was taken.
    Taken(Lock),
    /// Another process holds the lock; the file names it.
    Held(Holder),
}

const LOCK_FLAGS: OFlags = OFlags::RDWR.union(OFlags::CREATE);

impl Root {
    /// Tries to take the lock and writes `holder` into its file.
    ///
    /// # Errors
    /// If the lock file cannot be opened.
    pub fn try_lock(&self, rel: &RelPath, holder: &Holder) -> Result<LockAttempt> {
        step();
        let file = self.own_file("lock", rel, LOCK_FLAGS)?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
            Ok(_) => {
                sign(&file, holder);
                Ok(LockAttempt::Taken(Lock { file }))
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => {
                let mut text = [0; 512];
                let n = file.read_at(&mut text, 0).unwrap_or(0);
                Ok(LockAttempt::Held(Holder::of_text(&String::from_utf8_lossy(&text[..n]))))
            }
            Err(e) => Err(self.error("lock", rel, e)),
        }
    }

    /// Waits for the lock. Use it only for locks that are held briefly.
    ///
    /// # Errors
    /// If the lock file cannot be opened.
    pub fn lock(&self, rel: &RelPath, holder: &Holder) -> Result<Lock> {
        step();
        let file = self.own_file("lock", rel, LOCK_FLAGS)?;
        loop {
            match fcntl(&file, FcntlArg::F_OFD_SETLKW(&whole_file(libc::F_WRLCK))) {
                Ok(_) => break,
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(self.error("lock", rel, e)),
            }
        }
        sign(&file, holder);
        Ok(Lock { file })
    }

    /// Adopts a lock that another process has left open for us, and writes `holder` into its file.
    ///
    /// # Errors
    /// If the descriptor is not that of this lock, or another process holds the lock.
    pub fn adopt_lock(&self, rel: &RelPath, left: OwnedFd, holder: &Holder) -> Result<Lock> {
        step();
        let fail = |e: std::io::Error| self.error("take over lock", rel, e);
        let (named, file) = (self.file("take over lock", rel, OFlags::RDONLY)?, File::from(left));
        let mark = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino()));
        if mark(&named).map_err(fail)? != mark(&file).map_err(fail)? {
            let e =
                std::io::Error::new(std::io::ErrorKind::InvalidInput, "what was left to us is another file");
            return Err(fail(e));
        }
        fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))).map_err(|e| fail(e.into()))?;
        sign(&file, holder);
        Ok(Lock { file })
    }

    /// Returns true if a process holds the lock. Does not take it.
    ///
    /// # Errors
    /// If the lock file exists but cannot be opened.
    pub fn is_locked(&self, rel: &RelPath) -> Result<bool> {
        let file = match self.file("ask about lock", rel, OFlags::RDONLY) {
            Ok(file) => file,
            Err(e) if e.kind() == FsErrorKind::NotFound || e.is_wrong_kind() => return Ok(false),
            Err(e) => return Err(e),
        };
        let mut lock = whole_file(libc::F_WRLCK);
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock)).map_err(|e| self.error("ask about lock", rel, e))?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }
}

/// Writes the holder if possible: the text is only informative, and a full disk must not cost the lock. A holder that
/// takes the lock repeatedly writes its text once, so that a daemon that only reads leaves the tree unchanged.
fn sign(file: &File, holder: &Holder) {
    let text = holder.to_text();
    let mut there = vec![0; text.len() + 1];
    if file.read_at(&mut there, 0).is_ok_and(|n| there[..n] == *text.as_bytes()) {
        return;
    }
    let _ = file.set_len(0).and_then(|()| file.write_all_at(text.as_bytes(), 0));
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or(0),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or(0),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
