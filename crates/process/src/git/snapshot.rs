//! Takes a snapshot of a work folder: every file that git does not ignore, as one tree object.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    super::bounded::BoundedError,
    call::{GitError, Setting},
    compare::Store,
    left_out::{FileState, LeftOut, Lookup, crowded, folders_of},
    repository::{Repository, is_object_id},
};

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;
/// Largest total size of the files that are read, in bytes.
const MAX_TOTAL: u64 = 256 * 1024 * 1024;
/// Largest number of files of each state that are read.
const MAX_FILES: usize = 50_000;
/// Largest number of files, and of their bytes, that one call of git reads.
const CHUNK: usize = 2000;
const CHUNK_BYTES: u64 = 32 * 1024 * 1024;

/// The state of a work folder at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree object. It holds files that are left out as they were last committed, or not at all.
    pub tree: String,
    /// The parts that are left out.
    pub left_out: LeftOut,
}

/// Takes a snapshot into `store`. Skips the files below `not_here`, because Conductor's own tree grows during the
/// snapshot.
///
/// A snapshot that is compared with an `earlier` one leaves out the same parts. It holds the parts that only one of
/// them leaves out as the earlier one does, so that they do not look changed.
///
/// # Errors
/// If git refuses or takes too long.
pub fn snapshot(
    setting: &Setting,
    repository: &Repository,
    store: &Store<'_>,
    not_here: &Path,
    earlier: Option<&Snapshot>,
) -> Result<Snapshot, GitError> {
    store.prepare(repository)?;
    let setting = store.setting(setting, repository);
    let call = |args: &[&str], stdin: &[u8]| setting.call(&repository.top, args, stdin);
    let enough = setting.half_time();
    let listed = list(&call)?;
    let listed = parse(&listed);
    let mut sorted = Sorted::of(&listed, &repository.top, not_here, earlier.map(|e| &e.left_out));
    if !sorted.gone.is_empty() {
        call(&["update-index", "--force-remove", "-z", "--stdin"], &terminated(&sorted.gone))?;
    }
    let add = |files: &[&Listed<'_>]| {
        let names: Vec<&[u8]> = files.iter().map(|file| file.name).collect();
        call(&["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], &terminated(&names))
            .map(drop)
    };
    sorted.add_all(&add, enough)?;
    if let Some(earlier) = earlier.filter(|_| !sorted.skipped.is_empty()) {
        let entries = call(&["ls-tree", "-r", "-z", "--full-tree", &earlier.tree], b"")?;
        call(&["update-index", "-z", "--replace", "--index-info"], &sorted.skipped_entries(&entries))?;
    }
    let tree = call(&["write-tree", "--missing-ok"], b"")?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    if is_object_id(&tree) {
        Ok(Snapshot { tree, left_out: sorted.left_out })
    } else {
        Err(GitError::Answer("write-tree"))
    }
}

/// Lists the files that differ from the index. If they are too many to list, untracked folders are listed in their
/// place.
fn list(call: &impl Fn(&[&str], &[u8]) -> Result<Vec<u8>, GitError>) -> Result<Vec<u8>, GitError> {
    const LIST: [&str; 6] = ["ls-files", "-z", "-t", "--others", "--modified", "--exclude-standard"];
    match call(&LIST, b"") {
        Err(GitError::Bounded(BoundedError::TooMuch(_))) => {
            call(&[&LIST[..], &["--directory", "--no-empty-directory"]].concat(), b"")
        }
        listed => listed,
    }
}

/// A path that differs from the index.
#[derive(Debug, PartialEq, Eq)]
struct Listed<'a> {
    state: FileState,
    name: &'a [u8],
    text: Cow<'a, str>,
}

impl<'a> Listed<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (tag, name) = line.split_at_checked(2)?;
        let state = if tag == b"? " { FileState::Untracked } else { FileState::Modified };
        (!name.is_empty()).then(|| Self { state, name, text: String::from_utf8_lossy(name) })
    }
}

/// Parses the output of `ls-files -z -t`, and sorts it: modified files first.
fn parse(listed: &[u8]) -> Vec<Listed<'_>> {
    let mut entries: Vec<Listed<'_>> = listed.split(|b| *b == 0).filter_map(Listed::parse).collect();
    entries.sort_by(|a, b| (a.state, &a.text, a.name).cmp(&(b.state, &b.text, b.name)));
    // A file in conflict is listed once for each of its versions.
    entries.dedup();
    entries
}

fn terminated(names: &[&[u8]]) -> Vec<u8> {
    names.iter().flat_map(|name| [name, &b"\0"[..]]).flatten().copied().collect()
}

/// The paths that differ from the index.
#[derive(Debug, Default)]
struct Sorted<'a> {
    /// The files that are read, each with its size.
    there: Vec<(&'a Listed<'a>, u64)>,
    gone: Vec<&'a [u8]>,
    left_out: LeftOut,
    /// The names of all files and folders that are left out.
    skipped: HashSet<&'a [u8]>,
}

impl<'a> Sorted<'a> {
    fn of(listed: &'a [Listed<'a>], top: &Path, not_here: &Path, earlier: Option<&LeftOut>) -> Self {
        let mut wanted = earlier.cloned().unwrap_or_default();
        for folder in crowded(&still_untracked(listed, &wanted), MAX_FILES) {
            wanted.add_folder(folder);
        }
        let left_out = LeftOut {
            modified_from: wanted.modified_from.clone(),
            untracked_from: wanted.untracked_from.clone(),
            ..LeftOut::default()
        };
        let mut sorted = Self { left_out, ..Self::default() };
        let wanted = Lookup::of(&wanted);
        let (mut files, mut bytes, mut links) = ([0; 2], 0, HashMap::new());
        for file in listed {
            let path = top.join(OsStr::from_bytes(file.name));
            if path.starts_with(not_here) {
                continue;
            }
            // A folder that contains another repository, or one in the place of its many files.
            if file.name.ends_with(b"/") {
                sorted.left_out.add_folder(&file.text);
                sorted.skipped.insert(file.name);
                continue;
            }
            if file.state == FileState::Untracked
                && let Some(folder) = wanted.folder_of(&file.text)
            {
                sorted.left_out.add_folder(folder);
                sorted.left_out.more += 1;
                sorted.skipped.insert(file.name);
                continue;
            }
            let size = match look(&path, top, &mut links) {
                PathState::Missing => {
                    sorted.gone.push(file.name);
                    continue;
                }
                PathState::Present(size) => Some(size),
                PathState::Unreadable => None,
            };
            let fits = |size: &u64| *size <= MAX_FILE && bytes + size <= MAX_TOTAL;
            let of_state = &mut files[file.state as usize];
            if *of_state >= MAX_FILES {
                sorted.leave_with_later(file);
            } else if wanted.has_file(file.state, &file.text)
                || sorted.left_out.is_behind_limit(file.state, &file.text)
            {
                sorted.leave(file);
            } else if let Some(size) = size.filter(fits) {
                *of_state += 1;
                bytes += size;
                sorted.there.push((file, size));
            } else {
                sorted.leave(file);
            }
        }
        sorted
    }

    fn leave(&mut self, file: &'a Listed<'a>) {
        self.left_out.add_file(file.state, &file.text);
        self.skipped.insert(file.name);
    }

    fn leave_with_later(&mut self, file: &'a Listed<'a>) {
        self.left_out.add_from(file.state, &file.text);
        self.skipped.insert(file.name);
    }

    /// Adds the files to the index, in several calls, so that those that are not added by `enough` are left out.
    fn add_all(
        &mut self,
        add: &impl Fn(&[&'a Listed<'a>]) -> Result<(), GitError>,
        enough: Instant,
    ) -> Result<(), GitError> {
        let there = std::mem::take(&mut self.there);
        let mut rest = &there[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |(_, size): &&(&Listed<'_>, u64)| {
                bytes += size;
                bytes <= CHUNK_BYTES
            };
            let length = rest.iter().take(CHUNK).take_while(fits).count().max(1);
            let (chunk, later) = rest.split_at(length);
            let files: Vec<&Listed<'_>> = chunk.iter().map(|(file, _)| *file).collect();
            self.add(&files, add, enough)?;
            rest = later;
        }
        Ok(())
    }

    /// Adds files to the index. A file that git refuses, for example because it changes while it is read, is left out:
    /// it is found by halves, so that the others take few calls.
    fn add(
        &mut self,
        files: &[&'a Listed<'a>],
        add: &impl Fn(&[&'a Listed<'a>]) -> Result<(), GitError>,
        enough: Instant,
    ) -> Result<(), GitError> {
        if Instant::now() > enough {
            for file in files {
                self.leave_with_later(file);
            }
            return Ok(());
        }
        match (add(files), files) {
            (Err(GitError::Refused { .. }), [file]) => {
                self.leave(file);
                Ok(())
            }
            (Err(GitError::Refused { .. }), _) => {
                let (first, second) = files.split_at(files.len() / 2);
                self.add(first, add, enough)?;
                self.add(second, add, enough)
            }
            (added, _) => added,
        }
    }

    /// Returns those of the entries of `ls-tree -z` that are left out.
    fn skipped_entries(&self, entries: &[u8]) -> Vec<u8> {
        let is_skipped = |name: &[u8]| {
            let text = String::from_utf8_lossy(name);
            self.skipped.contains(name)
                || folders_of(&text).any(|folder| self.skipped.contains(folder.as_bytes()))
        };
        let entries = entries.split(|b| *b == 0).filter(|entry| {
            entry.iter().position(|b| *b == b'\t').is_some_and(|tab| is_skipped(&entry[tab + 1..]))
        });
        terminated(&entries.collect::<Vec<_>>())
    }
}

/// Returns the untracked files that are not left out already.
fn still_untracked<'a>(listed: &'a [Listed<'a>], left_out: &LeftOut) -> Vec<&'a str> {
    let left_out = Lookup::of(left_out);
    let untracked = listed.iter().filter(|file| file.state == FileState::Untracked);
    let names = untracked.map(|file| file.text.as_ref());
    names
        .filter(|name| left_out.folder_of(name).is_none() && !left_out.has_file(FileState::Untracked, name))
        .collect()
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
