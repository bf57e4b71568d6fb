//! Programs outside of any root: checked and copied through one open file, and exchanged for each other.

use std::{
    fs::{File, Metadata, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Group, Uid, User};

use super::{
    copy::open_outside,
    error::{FsError, Result, found},
    steps::step,
};

/// Largest size of a program.
const LARGEST: u64 = 1024 * 1024 * 1024;
/// Number of bytes at the beginning of a program that identify its machine, elf(5).
const HEADER: usize = 20;

/// A program that only its user and root can have written. Later reads use the file that was checked.
#[derive(Debug)]
pub struct ProgramFile {
    file: File,
    path: PathBuf,
}

impl ProgramFile {
    /// Opens a program.
    ///
    /// # Errors
    /// If it is not an executable file. Also if users other than its user and root may write the file or a folder that
    /// leads to it.
    pub fn open(path: &Path) -> Result<Self> {
        let refuse = |why: String| {
            let e = io::Error::new(io::ErrorKind::InvalidInput, why);
            FsError::new("use as a program", path, e)
        };
        if !path.is_absolute() {
            return Err(refuse("the path is not absolute".to_owned()));
        }
        let file = open_outside(path)?;
        // The path of the open file without links. The folders in this path are checked.
        let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .map_err(|e| FsError::new("resolve", path, e))?;
        let meta = file.metadata().map_err(|e| FsError::new("stat", path, e))?;
        if meta.mode() & 0o111 == 0 {
            return Err(refuse("it is not executable (chmod +x)".to_owned()));
        }
        if meta.len() > LARGEST {
            return Err(refuse(format!("it is larger than {LARGEST} bytes")));
        }
        trust(&meta, &real).map_err(refuse)?;
        for folder in real.ancestors().skip(1) {
            let meta = folder.symlink_metadata().map_err(|e| FsError::new("stat", folder, e))?;
            // In a sticky folder, for example /tmp, a user cannot replace another user's file.
            if meta.mode() & 0o1000 == 0 || !may_own(meta.uid()) {
                trust(&meta, folder).map_err(refuse)?;
            }
        }
        Ok(Self { file, path: real })
    }

    /// Checks that the program was built for this machine.
    ///
    /// # Errors
    /// If it was not. A script is rejected, too, because the program that it starts was not checked.
    pub fn must_run_here(&self) -> Result<()> {
        self.is_for_this_machine().map_err(|why| {
            let e = io::Error::new(io::ErrorKind::InvalidInput, why);
            FsError::new("use as a program", &self.path, e)
        })
    }

    /// Copies the program to a new file with these permissions, durably.
    ///
    /// # Errors
    /// If the file exists already, or the disk fails. No new file is left then.
    pub fn copy_to(&self, to: &Path, permissions: &Permissions) -> Result<()> {
        let fail = |e: io::Error| FsError::new("copy to", to, e);
        step();
        let mut copy = File::options().write(true).create_new(true).mode(0o700).open(to).map_err(fail)?;
        let mut source = &self.file;
        let copied = io::Seek::rewind(&mut source)
            .and_then(|()| io::copy(&mut io::Read::take(source, LARGEST), &mut copy))
            .and_then(|_| copy.set_permissions(permissions.clone()))
            .and_then(|()| copy.sync_all());
        drop(copy);
        match copied {
            Ok(()) => sync_folder_of(to),
            Err(e) => {
                let _ = std::fs::remove_file(to);
                Err(fail(e))
            }
        }
    }

    /// Reads the header instead of asking the kernel: the C library passes a file that the kernel rejects to a shell.
    fn is_for_this_machine(&self) -> std::result::Result<(), String> {
        let unreadable = |e: io::Error| format!("it cannot be read: {e}");
        let (mut its, mut ours) = ([0; HEADER], [0; HEADER]);
        let n = self.file.read_at(&mut its, 0).map_err(unreadable)?;
        if n < HEADER || !its.starts_with(b"\x7fELF") {
            return Err("it is no program of this system (no ELF file)".to_owned());
        }
        let own = File::open("/proc/self/exe").map_err(unreadable)?;
        own.read_exact_at(&mut ours, 0).map_err(unreadable)?;
        // Compares word size and byte order, then the machine, which follows the type.
        let kind = |header: &[u8; HEADER]| (header[4], header[5], [header[18], header[19]]);
        if kind(&its) == kind(&ours) {
            return Ok(());
        }
        let machine = |header: &[u8; HEADER]| u16::from_le_bytes([header[18], header[19]]);
        Err(format!(
            "it was built for another machine (ELF machine {}; this one is {})",
            machine(&its),
            machine(&ours)
        ))
    }
}

/// Replaces the program at `at` and keeps the old one as `kept`. A complete program is at `at` at any time.
///
/// # Errors
/// If the folder cannot be written. The old program stays then.
pub fn exchange_program(new: &Path, at: &Path, kept: &Path) -> Result<()> {
    let fail = |op: &'static str, path: &Path| {
        let path = path.to_owned();
        move |e: io::Error| FsError::new(op, &path, e)
    };
    step();
    found(std::fs::remove_file(kept).map_err(fail("remove", kept)))?;
    step();
    if std::fs::hard_link(at, kept).is_err() {
        // `kept` is on another file system, or the file belongs to root.
        std::fs::copy(at, kept).map_err(fail("copy to", kept))?;
    }
    step();
    std::fs::rename(new, at).map_err(fail("replace", at))?;
    sync_folder_of(at)
}

/// Returns the permissions of a program, for the program that will replace it.
///
/// # Errors
/// If the program does not exist.
pub fn program_permissions(path: &Path) -> Result<Permissions> {
    Ok(path.metadata().map_err(|e| FsError::new("stat", path, e))?.permissions())
}

/// Returns true if a file outside of any root exists.
#[must_use]
pub fn exists_outside(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Removes a file outside of any root, if it exists.
///
/// # Errors
/// If its folder cannot be written.
pub fn remove_outside(path: &Path) -> Result<()> {
    step();
    found(std::fs::remove_file(path).map_err(|e| FsError::new("remove", path, e))).map(drop)
}

fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    step();
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| FsError::new("sync folder", folder, e))
}

fn may_own(uid: u32) -> bool {
    uid == 0 || uid == Uid::effective().as_raw()
}

fn trust(meta: &Metadata, path: &Path) -> std::result::Result<(), String> {
    let shown = path.display();
    if !may_own(meta.uid()) {
        return Err(format!("{shown} belongs to user {}, neither you nor root", meta.uid()));
    }
    if meta.mode() & 0o002 != 0 {
        return Err(format!("{shown} may be written by everybody (mode {:o})", meta.mode() & 0o7777));
    }
    if meta.mode() & 0o020 != 0 && !is_private(Gid::from_raw(meta.gid())) {
        return Err(format!(
            "{shown} may be written by its group {} (mode {:o})",
            meta.gid(),
            meta.mode() & 0o7777
        ));
    }
    Ok(())
}

/// Returns true if a group is root's, or the user's private group, which many systems create for each user.
fn is_private(gid: Gid) -> bool {
    if gid.as_raw() == 0 {
        return true;
    }
    let (Ok(Some(group)), Ok(Some(user))) = (Group::from_gid(gid), User::from_uid(Uid::effective())) else {
        return false;
    };
    group.name == user.name && group.mem.iter().all(|member| *member == user.name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn own() -> PathBuf {
        std::env::current_exe().unwrap()
    }

    fn place(folder: &tempfile::TempDir, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn only_what_is_ours_and_for_this_machine_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let mut header = [0; 64];
        File::open(own()).unwrap().read_exact_at(&mut header, 0).unwrap();
        let mut foreign = header;
        foreign[18] ^= 0x55;
        let why = |path: &Path| match ProgramFile::open(path).and_then(|p| p.must_run_here()) {
            Ok(()) => "good".to_owned(),
            Err(e) => e.source.to_string(),
        };
        for (name, bytes, mode, expected) in [
            ("good", &header[..], 0o755, "good"),
            ("group-and-all", &header, 0o777, "written by everybody"),
            ("plain", &header, 0o644, "not executable"),
            ("foreign", &foreign, 0o755, "built for another machine"),
            ("script", b"#!/bin/sh\nexec run-agent \"$@\"\n", 0o755, "no ELF file"),
            ("empty", b"", 0o755, "no ELF file"),
        ] {
            let said = why(&place(&folder, name, bytes, mode));
            assert!(said.contains(expected), "{name}: {said}");
        }
        assert!(why(Path::new("relative")).contains("not absolute"));
        assert!(why(folder.path()).contains("not a regular file"));

        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        let inside = open.join("program");
        std::fs::copy(folder.path().join("good"), &inside).unwrap();
        assert_eq!(why(&inside), "good");
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(why(&inside).contains("written by everybody"), "a folder counts");
        std::os::unix::fs::symlink(&inside, folder.path().join("link")).unwrap();
        assert!(why(&folder.path().join("link")).contains("written by everybody"), "behind a link, too");
        std::fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(why(&inside), "good", "sticky, as /tmp is");
    }

    #[test]
    fn what_is_copied_is_what_was_looked_at_and_the_old_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let candidate = folder.path().join("candidate");
        std::fs::copy(own(), &candidate).unwrap();
        let program = ProgramFile::open(&candidate).unwrap();
        std::fs::remove_file(&candidate).unwrap();
        std::fs::write(&candidate, "another").unwrap();

        let at = place(&folder, "program", b"old", 0o750);
        let (staged, kept) = (folder.path().join("staged"), folder.path().join("kept"));
        std::fs::write(&kept, "older").unwrap();
        program.copy_to(&staged, &program_permissions(&at).unwrap()).unwrap();
        assert!(program.copy_to(&staged, &program_permissions(&at).unwrap()).is_err(), "never over another");
        exchange_program(&staged, &at, &kept).unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"old");
        assert_eq!(std::fs::read(&at).unwrap(), std::fs::read(own()).unwrap());
        assert_eq!(at.metadata().unwrap().permissions().mode() & 0o777, 0o750);
        assert!(!exists_outside(&staged));
        remove_outside(&staged).unwrap();
    }
}
