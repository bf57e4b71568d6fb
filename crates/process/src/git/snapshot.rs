//! Takes a snapshot of a work folder: every file that git does not ignore, as one tree object.

use std::{
    collections::HashMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    call::{GitError, Setting},
    compare::Store,
    repository::{Repository, is_object_id},
};

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Largest total size of the files that are read, in bytes.
const MAX_TOTAL: u64 = 256 * 1024 * 1024;
/// Largest number of files that are read.
const MAX_FILES: usize = 50_000;

/// The state of a work folder at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree object.
    pub tree: String,
    /// Files that the tree holds as they were last committed, or not at all, because they are too large, too many, or
    /// not readable by us or by git; and folders that are repositories of their own.
    pub left_out: Vec<String>,
}

/// Takes a snapshot into `store`. Skips the files below `not_here`, because Conductor's own tree grows during the
/// snapshot.
///
/// # Errors
/// If git refuses or takes too long.
pub fn snapshot(
    setting: &Setting,
    repository: &Repository,
    store: &Store<'_>,
    not_here: &Path,
) -> Result<Snapshot, GitError> {
    store.prepare(repository)?;
    let setting = store.setting(setting, repository);
    let call = |args: &[&str], stdin: &[u8]| setting.call(&repository.top, args, stdin);
    let listed = call(&["ls-files", "-z", "--others", "--modified", "--exclude-standard"], b"")?;
    let mut sorted = Sorted::of(&listed, &repository.top, not_here);
    if !sorted.gone.is_empty() {
        call(&["update-index", "--force-remove", "-z", "--stdin"], &sorted.gone)?;
    }
    let paths: Vec<&[u8]> = sorted.there.split_inclusive(|b| *b == 0).collect();
    let add = |paths: &[&[u8]]| {
        call(&["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], &paths.concat()).map(drop)
    };
    add_all(&paths, &add, &mut sorted.left_out)?;
    let tree = call(&["write-tree", "--missing-ok"], b"")?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    if is_object_id(&tree) {
        Ok(Snapshot { tree, left_out: sorted.left_out })
    } else {
        Err(GitError::Answer("write-tree"))
    }
}

/// Adds paths to the index. A path that git refuses, for example because its file changes while it is read, is left out:
/// it is found by halves, so that the others take few calls.
fn add_all(
    paths: &[&[u8]],
    add: &impl Fn(&[&[u8]]) -> Result<(), GitError>,
    left_out: &mut Vec<String>,
) -> Result<(), GitError> {
    if paths.is_empty() {
        return Ok(());
    }
    match add(paths) {
        Err(GitError::Refused { .. }) if paths.len() == 1 => {
            let name = paths[0].strip_suffix(&[0]).unwrap_or(paths[0]);
            left_out.push(String::from_utf8_lossy(name).into_owned());
            Ok(())
        }
        Err(GitError::Refused { .. }) => {
            let (first, second) = paths.split_at(paths.len() / 2);
            add_all(first, add, left_out)?;
            add_all(second, add, left_out)
        }
        added => added,
    }
}

/// The paths that differ from the index, each terminated by NUL.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sorted {
    there: Vec<u8>,
    gone: Vec<u8>,
    left_out: Vec<String>,
}

impl Sorted {
    fn of(listed: &[u8], top: &Path, not_here: &Path) -> Self {
        let mut sorted = Self::default();
        let (mut files, mut bytes) = (0, 0);
        let mut links = HashMap::new();
        for name in listed.split(|b| *b == 0).filter(|n| !n.is_empty()) {
            let path = top.join(OsStr::from_bytes(name));
            if path.starts_with(not_here) {
                continue;
            }
            // A folder that contains another repository.
            if name.ends_with(b"/") {
                sorted.left_out.push(String::from_utf8_lossy(name).into_owned());
                continue;
            }
            let list = match look(&path, top, &mut links) {
                PathState::Missing => &mut sorted.gone,
                PathState::Present(size) => {
                    files += 1;
                    bytes += size;
                    if size > MAX_FILE || bytes > MAX_TOTAL || files > MAX_FILES {
                        bytes -= size;
                        sorted.left_out.push(String::from_utf8_lossy(name).into_owned());
                        continue;
                    }
                    &mut sorted.there
                }
                PathState::Unreadable => {
                    sorted.left_out.push(String::from_utf8_lossy(name).into_owned());
                    continue;
                }
            };
            list.extend_from_slice(name);
            list.push(0);
        }
        sorted
    }
}

/// The state of a path that git has listed.
enum PathState {
    Present(u64),
    Missing,
    Unreadable,
}

fn look(path: &Path, top: &Path, links: &mut HashMap<PathBuf, bool>) -> PathState {
    // A file behind a symbolic link is not in the work folder, regardless of the index.
    if path.parent().is_some_and(|folder| is_behind_link(folder, top, links)) {
        return PathState::Missing;
    }
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() || meta.is_dir() => PathState::Present(0),
        Ok(meta) if meta.is_file() => match rustix::fs::access(path, rustix::fs::Access::READ_OK) {
            Ok(()) => PathState::Present(meta.len()),
            Err(_) => PathState::Unreadable,
        },
        // The file is gone, or a pipe or a device has replaced it.
        Ok(_) | Err(_) => PathState::Missing,
    }
}

fn is_behind_link(folder: &Path, top: &Path, known: &mut HashMap<PathBuf, bool>) -> bool {
    if folder == top || !folder.starts_with(top) {
        return false;
    }
    if let Some(behind) = known.get(folder) {
        return *behind;
    }
    let link = folder.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
    let behind = link || folder.parent().is_some_and(|above| is_behind_link(above, top, known));
    known.insert(folder.to_owned(), behind);
    behind
}
