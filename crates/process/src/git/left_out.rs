//! The parts of a work folder that a snapshot leaves out, so that two snapshots are compared only in what both have.

use std::collections::HashSet;

/// Largest number of names that are kept, and of their bytes: they are stored until the run ends.
const MAX_NAMES: usize = 2000;
const MAX_BYTES: usize = 1024 * 1024;
/// Largest number of crowded folders that are searched for.
const MAX_CROWDED: usize = 64;

/// The state of a file that differs from the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileState {
    /// The index has another content.
    Modified,
    /// The index does not have the file.
    Untracked,
}

/// The parts that a snapshot leaves out. Bytes of names that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Files that are too large, or that cannot be read, by us or by git.
    pub files: Vec<String>,
    /// Folders, each with a `/` at its end, of which no untracked file is read: repositories of their own, and folders
    /// with too many files.
    pub folders: Vec<String>,
    /// The first of the modified files that are left out, in the order of their names, because there are too many.
    pub modified_from: Option<String>,
    /// The first of the untracked files that are left out, in the order of their names, because there are too many.
    pub untracked_from: Option<String>,
    /// Number of files that are left out and not in `files`.
    pub more: u64,
}

impl LeftOut {
    /// Returns true if no file is left out; there may be folders.
    #[must_use]
    pub fn has_no_files(&self) -> bool {
        self.files.is_empty() && self.modified_from.is_none() && self.untracked_from.is_none()
    }

    /// Returns one of the parts and the number of the others; `None` if nothing is left out.
    #[must_use]
    pub fn summary(&self) -> Option<(&str, u64)> {
        let limits = self.modified_from.iter().chain(&self.untracked_from);
        let first = self.files.iter().chain(&self.folders).chain(limits).next()?;
        let all = (self.files.len() + self.folders.len()) as u64 + self.more;
        Some((first, all.saturating_sub(1)))
    }

    /// Adds the parts that another snapshot leaves out.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (own, others) in [(&mut self.files, &other.files), (&mut self.folders, &other.folders)] {
            let known: HashSet<String> = own.iter().cloned().collect();
            own.extend(others.iter().filter(|name| !known.contains(*name)).cloned());
        }
        for (own, others) in [
            (&mut self.modified_from, &other.modified_from),
            (&mut self.untracked_from, &other.untracked_from),
        ] {
            *own = own.take().into_iter().chain(others.clone()).min();
        }
        self.more = self.more.max(other.more);
        self
    }

    /// Leaves out a file. Once there are too many names, all later files of this state are left out with it.
    pub(super) fn add_file(&mut self, state: FileState, name: &str) {
        let bytes: usize = name.len() * self.files.len();
        if self.files.len() < MAX_NAMES && bytes < MAX_BYTES && !self.is_behind_limit(state, name) {
            self.files.push(name.to_owned());
        } else {
            self.add_from(state, name);
        }
    }

    /// Leaves out a file and all later ones of its state.
    pub(super) fn add_from(&mut self, state: FileState, name: &str) {
        let from = match state {
            FileState::Modified => &mut self.modified_from,
            FileState::Untracked => &mut self.untracked_from,
        };
        if from.as_deref().is_none_or(|from| name < from) {
            *from = Some(name.to_owned());
        }
        self.more += 1;
    }

    /// Leaves out the untracked files of a folder.
    pub(super) fn add_folder(&mut self, folder: &str) {
        if self.folders.len() >= MAX_NAMES {
            self.add_from(FileState::Untracked, folder);
        } else if !self.folders.iter().any(|known| known == folder) {
            self.folders.push(folder.to_owned());
        }
    }

    pub(super) fn is_behind_limit(&self, state: FileState, name: &str) -> bool {
        let from = match state {
            FileState::Modified => self.modified_from.as_deref(),
            FileState::Untracked => self.untracked_from.as_deref(),
        };
        from.is_some_and(|from| name >= from)
    }
}

/// Answers quickly which parts are left out.
#[derive(Debug)]
pub(super) struct Lookup<'a> {
    left_out: &'a LeftOut,
    files: HashSet<&'a str>,
    folders: HashSet<&'a str>,
}

impl<'a> Lookup<'a> {
    pub(super) fn of(left_out: &'a LeftOut) -> Self {
        let set = |names: &'a [String]| names.iter().map(String::as_str).collect();
        Self { left_out, files: set(&left_out.files), folders: set(&left_out.folders) }
    }

    pub(super) fn has_file(&self, state: FileState, name: &str) -> bool {
        self.files.contains(name) || self.left_out.is_behind_limit(state, name)
    }

    /// Returns the folder that is left out with this path.
    pub(super) fn folder_of(&self, name: &str) -> Option<&'a str> {
        folders_of(name).find_map(|folder| self.folders.get(folder).copied())
    }
}

/// Returns the folders that contain a path, outermost first, each with a `/` at its end.
pub(super) fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..=at])
}

/// Returns folders without whose files at most `most` of the sorted names remain, if there are such: the innermost
/// ones that have enough files, so that the rest of the tree is still compared.
pub(super) fn crowded<'a>(names: &[&'a str], most: usize) -> Vec<&'a str> {
    let (mut rest, mut found) = (names.to_vec(), Vec::new());
    while rest.len() > most && found.len() < MAX_CROWDED {
        let excess = rest.len() - most;
        let mut within = "";
        while let Some((folder, files)) = largest_folder(&rest, within) {
            if files < excess && !within.is_empty() {
                break;
            }
            within = folder;
        }
        if within.is_empty() {
            break;
        }
        rest.retain(|name| !name.starts_with(within));
        found.push(within);
    }
    found
}

/// Returns the folder directly in `within` that has the most of the sorted names, and their number.
fn largest_folder<'a>(names: &[&'a str], within: &str) -> Option<(&'a str, usize)> {
    let folder = |name: &&'a str| {
        let below = name.strip_prefix(within)?;
        let at = below.find('/')?;
        Some(&name[..=within.len() + at])
    };
    let folders: Vec<&str> = names.iter().filter_map(folder).collect();
    folders.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).max_by_key(|(_, files)| *files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_folder_with_enough_files_is_left_out() {
        let names = |folder: &str, n: usize| (0..n).map(|i| format!("{folder}{i:03}")).collect::<Vec<_>>();
        let all = [names("a/data/deep/", 30), names("a/data/x/", 5), names("b/", 20), names("z", 4)].concat();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(crowded(&all, 100), Vec::<&str>::new());
        assert_eq!(crowded(&all, 40), ["a/data/deep/"]);
        assert_eq!(crowded(&all, 25), ["a/data/"]);
        assert_eq!(crowded(&all, 5), ["a/", "b/"]);
        // Files at the top are in no folder.
        assert_eq!(crowded(&all, 2), ["a/", "b/"]);
    }

    #[test]
    fn two_snapshots_leave_out_the_parts_of_both() {
        let mut first = LeftOut::default();
        first.add_file(FileState::Untracked, "b");
        first.add_folder("inner/");
        first.add_from(FileState::Untracked, "x");
        let mut second = LeftOut::default();
        second.add_file(FileState::Untracked, "b");
        second.add_folder("other/");
        second.add_from(FileState::Untracked, "m");
        let both = first.and(&second);
        assert_eq!(both.files, ["b"]);
        assert_eq!(both.folders, ["inner/", "other/"]);
        assert_eq!(both.untracked_from.as_deref(), Some("m"));
        assert_eq!(both.summary(), Some(("b", 3)));
        let lookup = Lookup::of(&both);
        assert!(lookup.has_file(FileState::Untracked, "n") && !lookup.has_file(FileState::Modified, "n"));
        assert_eq!(lookup.folder_of("inner/a/b"), Some("inner/"));
        assert_eq!(lookup.folder_of("innermost/a"), None);
        assert_eq!(LeftOut::default().summary(), None);
    }

    #[test]
    fn beyond_some_number_of_names_only_the_first_is_kept() {
        let mut left_out = LeftOut::default();
        for n in 0..MAX_NAMES + 5 {
            left_out.add_file(FileState::Untracked, &format!("{n:06}"));
        }
        assert_eq!((left_out.files.len(), left_out.more), (MAX_NAMES, 5));
        assert_eq!(left_out.untracked_from.as_deref(), Some("002000"));
        assert_eq!(left_out.summary().unwrap().1, MAX_NAMES as u64 + 4);
    }
}
