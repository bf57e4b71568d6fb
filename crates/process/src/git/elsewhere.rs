//! Finds changes that two snapshots of a work folder cannot show: in files that git ignores, in submodules and other
//! repositories inside the folder, in linked worktrees, and in branches that are not checked out.
//!
//! Nothing is read before the run: a file was touched during the run if its status changed after the run's start.
//! Deleted files that git ignores leave no trace.

use std::{
    collections::{BTreeMap, HashSet},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use base::fsx;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    call::{GitError, Setting},
    repository::Repository,
};

/// Largest number of files and folders that are looked at, and the longest time that it takes.
const MAX_ENTRIES: usize = 200_000;
const MAX_TIME: Duration = Duration::from_secs(2);
/// Largest number of changes that are named.
const MAX_NAMED: usize = 20;
/// A file's time may be older than the clock by a tick of the kernel.
const TICK: TimeDelta = TimeDelta::milliseconds(20);
/// Largest size of a `.git` file.
const MAX_LINK: u64 = 8192;

/// The kind of a change that a comparison of snapshots cannot show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElsewhereKind {
    /// A branch, tag or other reference was created, moved or deleted.
    Reference,
    /// Another branch is checked out, at the same commit.
    Checkout,
    /// A file that git ignores.
    Ignored,
    /// A file in a submodule.
    Submodule,
    /// A file in a repository inside the work folder, or in a folder with too many files to compare.
    Folder,
    /// A file in another worktree of the repository.
    Worktree,
}

/// Changes that a comparison of snapshots cannot show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Elsewhere {
    /// For each place that has changed, its kind and the first changed file that was found.
    pub changed: Vec<(ElsewhereKind, String)>,
    /// The reason why not all places could be examined.
    pub incomplete: Option<&'static str>,
}

/// Returns the references that differ, except the branch that is checked out: its commits are a change of the head.
#[must_use]
pub fn changed_refs(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    branch: Option<&str>,
) -> Vec<(ElsewhereKind, String)> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .filter(|name| Some(name.as_str()) != branch)
        .take(MAX_NAMED)
        .map(|name| (ElsewhereKind::Reference, name.clone()))
        .collect()
}

/// Looks for changes since `since` outside of the files that snapshots compare. `folders` are those that the snapshots
/// leave out. Skips `not_here`.
///
/// # Errors
/// If git refuses or takes too long.
pub fn changed_elsewhere(
    setting: &Setting,
    repository: &Repository,
    folders: &[String],
    since: DateTime<Utc>,
    not_here: &Path,
) -> Result<Elsewhere, GitError> {
    let places = places(setting, repository, folders)?;
    let mut search = Search {
        since: since - TICK,
        not_here,
        top: &repository.top,
        left: MAX_ENTRIES,
        until: Instant::now() + MAX_TIME,
        seen: HashSet::new(),
        found: Elsewhere::default(),
    };
    for (kind, place) in places {
        if fsx::is_remote_outside(&place) {
            search.found.incomplete = Some("the clock of their file server may differ");
        } else if search.found.changed.len() < MAX_NAMED && search.seen.insert(place.clone()) {
            search.place(kind, &place);
        }
    }
    // A worktree that was added or removed.
    search.check(ElsewhereKind::Worktree, &repository.common_dir.join("worktrees"));
    Ok(search.found)
}

fn places(
    setting: &Setting,
    repository: &Repository,
    folders: &[String],
) -> Result<Vec<(ElsewhereKind, PathBuf)>, GitError> {
    let call = |args: &[&str]| setting.call(&repository.top, args, b"");
    let path = |name: &[u8]| repository.top.join(bytes_to_path(name));
    let mut places: Vec<_> =
        folders.iter().map(|name| (ElsewhereKind::Folder, repository.top.join(name))).collect();

    let index = call(&["ls-files", "-z", "--stage"])?;
    let submodules = index.split(|b| *b == 0).filter(|entry| entry.starts_with(b"160000 "));
    let names = submodules.filter_map(|entry| entry.splitn(2, |b| *b == b'\t').nth(1));
    places.extend(names.map(|name| (ElsewhereKind::Submodule, path(name))));

    let worktrees = call(&["worktree", "list", "--porcelain"])?;
    let names = worktrees.split(|b| *b == b'\n').filter_map(|line| line.strip_prefix(b"worktree "));
    let others = names.map(path).filter(|other| *other != repository.top);
    places.extend(others.map(|other| (ElsewhereKind::Worktree, other)));

    let ignored = call(&["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"])?;
    let names = ignored.split(|b| *b == 0).filter(|name| !name.is_empty());
    places.extend(names.map(|name| (ElsewhereKind::Ignored, path(name))));
    Ok(places)
}

fn bytes_to_path(bytes: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

struct Search<'a> {
    since: DateTime<Utc>,
    not_here: &'a Path,
    top: &'a Path,
    left: usize,
    until: Instant,
    seen: HashSet<PathBuf>,
    found: Elsewhere,
}

impl Search<'_> {
    /// Looks at a file, or at a folder with all that it contains, until the first change.
    fn place(&mut self, kind: ElsewhereKind, place: &Path) {
        if place == self.not_here {
            return;
        }
        if !place.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            self.check(kind, place);
            return;
        }
        let mut folders = vec![place.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = folder.read_dir() else {
                self.found.incomplete = Some("not all of them can be read");
                continue;
            };
            for entry in entries.flatten() {
                let path = entry.path();
                // Conductor's own tree, and places that are looked at by themselves.
                if path == self.not_here || path == self.top || self.seen.contains(&path) {
                    continue;
                }
                if self.left == 0 || Instant::now() > self.until {
                    self.found.incomplete = Some("there are too many files");
                    return;
                }
                self.left -= 1;
                if entry.file_name() == ".git" {
                    if self.git_dir(kind, &path) {
                        return;
                    }
                } else if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    folders.push(path);
                } else if self.check(kind, &path) {
                    return;
                }
            }
            // A file was removed from it, if none in it was touched.
            if self.check(kind, &folder) {
                return;
            }
        }
    }

    /// Looks at the head and the branches of a repository. Its index changes whenever git compares times.
    fn git_dir(&mut self, kind: ElsewhereKind, dot_git: &Path) -> bool {
        let link = fsx::read_regular_outside(dot_git, MAX_LINK).ok();
        let target = link.as_deref().and_then(|text| text.strip_prefix(b"gitdir: ")).map(<[u8]>::trim_ascii);
        let folder = dot_git.parent().unwrap_or(dot_git);
        let git_dir = target.map_or_else(|| dot_git.to_owned(), |path| folder.join(bytes_to_path(path)));
        if ["HEAD", "packed-refs", "reftable"].iter().any(|name| self.check(kind, &git_dir.join(name))) {
            return true;
        }
        let mut folders = vec![git_dir.join("refs")];
        while let Some(folder) = folders.pop() {
            if self.check(kind, &folder) {
                return true;
            }
            for entry in folder.read_dir().into_iter().flatten().flatten() {
                if self.left == 0 {
                    self.found.incomplete = Some("there are too many files");
                    return false;
                }
                self.left -= 1;
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    folders.push(entry.path());
                } else if self.check(kind, &entry.path()) {
                    return true;
                }
            }
        }
        false
    }

    /// Adds the path if it was touched, and returns true then.
    fn check(&mut self, kind: ElsewhereKind, path: &Path) -> bool {
        let Ok(meta) = path.symlink_metadata() else { return false };
        let nanoseconds = u32::try_from(meta.ctime_nsec()).unwrap_or(0);
        let touched = DateTime::from_timestamp(meta.ctime(), nanoseconds).is_none_or(|at| at >= self.since);
        if touched {
            let name = path.strip_prefix(self.top).unwrap_or(path);
            self.found.changed.push((kind, name.display().to_string()));
        }
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_were_created_moved_or_deleted_are_named() {
        let refs = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect()
        };
        let before: BTreeMap<String, String> =
            refs(&[("refs/heads/gone", "1"), ("refs/heads/main", "1"), ("refs/heads/same", "1")]);
        let after = refs(&[("refs/heads/main", "2"), ("refs/heads/same", "1"), ("refs/tags/new", "2")]);
        let names = |branch| {
            let changed = changed_refs(&before, &after, branch);
            changed.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(Some("refs/heads/main")), ["refs/heads/gone", "refs/tags/new"]);
        assert_eq!(names(None), ["refs/heads/gone", "refs/heads/main", "refs/tags/new"]);
    }
}
