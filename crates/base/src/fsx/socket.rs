//! A listening socket with a name in the file system. Only its owner may connect to it.

use std::{
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::Mode,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
};

use super::error::{FsError, Result};

/// Largest number of connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The name of a listening socket. Dropping it removes the name.
#[derive(Debug)]
pub struct SocketName(PathBuf);

/// Listens at a path and creates the folder if it is missing. A socket without a listener is replaced.
///
/// # Errors
/// If a process listens there already, something else has the name, or the path is too long.
pub fn listen_at(path: &Path) -> Result<(UnixListener, SocketName)> {
    let fail = |e: io::Error| FsError::new("listen at", path, e);
    let other = |kind, text: &str| fail(io::Error::new(kind, text.to_owned()));
    let address = SocketAddrUnix::new(path)
        .map_err(|_| other(io::ErrorKind::InvalidInput, "the path of a socket has at most 107 bytes"))?;
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    }
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(fail(e)),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(other(io::ErrorKind::AlreadyExists, "something else has that name"));
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => return Err(other(io::ErrorKind::AddrInUse, "another process listens on it")),
            Err(_) => std::fs::remove_file(path).map_err(fail)?,
        },
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let made = || -> rustix::io::Result<_> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Before the bind, so that the name gets this mode and is never open to others; unix(7).
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o600))?;
        bind(&socket, &address)?;
        Ok(socket)
    };
    let socket = made().map_err(|e| fail(e.into()))?;
    let name = SocketName(path.to_owned());
    listen(&socket, BACKLOG).map_err(|e| fail(e.into()))?;
    Ok((socket.into(), name))
}

impl Drop for SocketName {
    fn drop(&mut self) {
        // If this fails, the next listener at this path replaces the name.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{error::Error, os::unix::fs::PermissionsExt};

    fn why(path: &Path) -> String {
        listen_at(path).unwrap_err().source().unwrap().to_string()
    }

    #[test]
    fn a_socket_is_its_owners_and_goes_with_him() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/api.sock");
        let (listener, name) = listen_at(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(UnixStream::connect(&path).is_ok());
        assert!(why(&path).contains("another process listens on it"));
        drop(listener);
        let (_listener, second) = listen_at(&path).expect("nobody listens on the old one");
        drop(name);
        drop(second);
        assert!(!path.exists());
        std::fs::write(&path, "a file").unwrap();
        assert!(why(&path).contains("something else"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
        assert!(why(&folder.path().join("x".repeat(120))).contains("107"));
    }
}
