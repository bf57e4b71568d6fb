//! Replaces the content of another program's file. Links to the file and its permissions are kept.

use std::{
    fs::{File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use rustix::fs::{Mode, OFlags};

use super::error::{FsError, Result};

/// Replaces the content of a file, or creates it, so that it is either the old or the new content at any time. A link
/// is followed and stays a link. The mode is kept, too.
///
/// # Errors
/// If the folder cannot be written. The old content is kept then.
pub fn replace_outside(path: &Path, bytes: &[u8]) -> Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let fail = |e: io::Error| FsError::new("write", &real, e);
    let mode = real.metadata().map_or(0o644, |meta| meta.permissions().mode() & 0o7777);
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let temporary = real.with_file_name(format!(".tmp-{}-{name}", std::process::id()));
    if let Some(folder) = real.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let fd = rustix::fs::open(&temporary, flags, Mode::from_raw_mode(0o600)).map_err(|e| fail(e.into()))?;
    let mut file = File::from(fd);
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, &real));
    written.map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        fail(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_modes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        replace_outside(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        replace_outside(&folder.path().join("a/b"), b"made").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
