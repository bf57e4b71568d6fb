//! Compares two snapshots and manages the folder that keeps their objects.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use super::{
    call::{GitError, Setting},
    repository::Repository,
};
use base::fsx::{RelPath, Root};

/// A folder of Conductor in which git creates an index and objects.
#[derive(Debug)]
pub struct Store<'a> {
    root: &'a Root,
    folder: RelPath,
    /// A folder with the objects of an earlier snapshot.
    more: Option<PathBuf>,
}

impl<'a> Store<'a> {
    /// Creates a store in `folder`, which need not exist yet.
    #[must_use]
    pub fn new(root: &'a Root, folder: RelPath) -> Self {
        Self { root, folder, more: None }
    }

    /// Makes the objects of another store readable, too.
    #[must_use]
    pub fn knowing(self, other: &Store<'_>) -> Self {
        Self { more: Some(other.root.absolute(&other.objects())), ..self }
    }

    fn objects(&self) -> RelPath {
        self.folder.join("objects")
    }

    fn index(&self) -> RelPath {
        self.folder.join("index")
    }

    /// Creates the folders and copies the repository's current index.
    pub(super) fn prepare(&self, repository: &Repository) -> Result<(), GitError> {
        self.root.ensure_passing_dir(&self.objects())?;
        // The copy keeps the index's time. Git compares it with a file's time to detect a file that changed in the same
        // tick.
        if !self.root.copy_in(&repository.git_dir.join("index"), &self.index())? {
            self.root.remove(&self.index())?;
        }
        Ok(())
    }

    /// Returns a setting for calls that write only into this store.
    pub(super) fn setting(&self, setting: &Setting, repository: &Repository) -> Setting {
        let known = [Some(repository.objects.as_path()), self.more.as_deref()];
        let known: Vec<OsString> = known.into_iter().flatten().map(quoted).collect();
        setting
            .clone()
            .with("GIT_INDEX_FILE", self.root.absolute(&self.index()))
            .with("GIT_OBJECT_DIRECTORY", self.root.absolute(&self.objects()))
            .with("GIT_ALTERNATE_OBJECT_DIRECTORIES", known.join(OsStr::new(":")))
    }
}

/// Spells a path for a colon-separated list; git(1) accepts a path in quotes as a C string.
fn quoted(path: &Path) -> OsString {
    let bytes = path.as_os_str().as_bytes();
    if !bytes.contains(&b':') && !bytes.starts_with(b"\"") {
        return path.into();
    }
    let mut text = vec![b'"'];
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text.push(b'"');
    OsStr::from_bytes(&text).to_owned()
}

/// The kind of change to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChangeKind {
    /// The file is new.
    Added,
    /// Its content, mode or kind has changed.
    Modified,
    /// The file is gone.
    Deleted,
    /// The file has a new name, and maybe a new content.
    Renamed,
}

/// A file that differs between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path below the top of the work folder. Bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Its earlier path, if that differs.
    pub old_path: Option<String>,
    /// The kind of change.
    pub kind: FileChangeKind,
    /// Numbers of added and deleted lines; `None` for a file that is not text.
    pub lines: Option<(u64, u64)>,
}

const DIFF: [&str; 5] = ["diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv"];

/// Returns the files that differ between two trees.
///
/// # Errors
/// If git refuses or takes too long.
pub fn changes(
    setting: &Setting,
    repository: &Repository,
    store: &Store<'_>,
    (before, after): (&str, &str),
) -> Result<Vec<FileChange>, GitError> {
    let args = [&DIFF[..], &["-z", "--raw", "--numstat", before, after]].concat();
    let answer = store.setting(setting, repository).call(&repository.top, &args, b"")?;
    parse(&answer).ok_or(GitError::Answer("diff-tree"))
}

/// Writes the difference of two trees as a patch for `git apply`, of at most `most` bytes.
///
/// # Errors
/// If git refuses or takes too long, or the patch is larger.
pub fn patch(
    setting: &Setting,
    repository: &Repository,
    store: &Store<'_>,
    (before, after): (&str, &str),
    to: &OwnedFd,
    most: u64,
) -> Result<(), GitError> {
    let shape = ["-p", "--binary", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", before, after];
    let args = [&DIFF[..], &shape].concat();
    store.setting(setting, repository).call_to(&repository.top, &args, to, most)
}

/// Parses `--raw --numstat -z`: first the kinds, then the numbers of lines, in the same order.
fn parse(answer: &[u8]) -> Option<Vec<FileChange>> {
    let mut fields = answer.split(|b| *b == 0).map(String::from_utf8_lossy).peekable();
    let mut files = Vec::new();
    while fields.peek().is_some_and(|f| f.starts_with(':')) {
        let (head, path) = (fields.next()?, fields.next()?.into_owned());
        let kind = match head.rsplit(' ').next()?.chars().next()? {
            'A' => FileChangeKind::Added,
            'D' => FileChangeKind::Deleted,
            'R' => FileChangeKind::Renamed,
            _ => FileChangeKind::Modified,
        };
        let change = FileChange { path, old_path: None, kind, lines: None };
        files.push(if kind == FileChangeKind::Renamed {
            FileChange { path: fields.next()?.into_owned(), old_path: Some(change.path), ..change }
        } else {
            change
        });
    }
    for file in &mut files {
        let line = fields.next()?;
        let mut parts = line.splitn(3, '\t');
        let (added, removed, path) = (parts.next()?, parts.next()?, parts.next()?);
        file.lines = added.parse().ok().zip(removed.parse().ok());
        let new = if path.is_empty() { fields.nth(1)? } else { path.into() };
        if new != file.path {
            return None;
        }
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_lines_come_together() {
        let zero = "0".repeat(40);
        let raw = |letter: &str, names: &str| format!(":100644 100644 {zero} {zero} {letter}\0{names}\0");
        let answer = [
            raw("M", "a b\tc"),
            raw("R090", "old\0new"),
            raw("A", "pic.png"),
            "1\t2\ta b\tc\0".to_owned(),
            "3\t0\t\0old\0new\0".to_owned(),
            "-\t-\tpic.png\0".to_owned(),
        ]
        .concat();
        let files = parse(answer.as_bytes()).unwrap();
        let seen: Vec<_> =
            files.iter().map(|f| (f.path.as_str(), f.old_path.as_deref(), f.kind, f.lines)).collect();
        assert_eq!(
            seen,
            [
                ("a b\tc", None, FileChangeKind::Modified, Some((1, 2))),
                ("new", Some("old"), FileChangeKind::Renamed, Some((3, 0))),
                ("pic.png", None, FileChangeKind::Added, None),
            ]
        );
        assert_eq!(parse(b""), Some(Vec::new()));
        assert_eq!(parse(raw("M", "x").as_bytes()), None);
    }

    #[test]
    fn a_path_with_a_colon_is_quoted() {
        assert_eq!(quoted(Path::new("/a/b")), "/a/b");
        assert_eq!(quoted(Path::new("/a:b\"c")), "\"/a:b\\\"c\"");
    }
}
