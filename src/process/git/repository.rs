//! Which repository a folder belongs to.

use std::path::{Path, PathBuf};

use super::call::{GitError, Setting, accepted};

/// A repository as it was found around a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Top of its work folder.
    pub top: PathBuf,
    /// Its own folder: that of the worktree, where there are several.
    pub git_dir: PathBuf,
    /// Where its objects are.
    pub objects: PathBuf,
    /// The commit that is checked out; none in a repository without commits.
    pub head: Option<String>,
}

/// Whether there may be a repository around `folder`, seen without starting anything.
#[must_use]
pub fn is_in_work_tree(folder: &Path, setting: &Setting) -> bool {
    let ceilings: Vec<PathBuf> = setting.ceilings().collect();
    for (n, at) in folder.ancestors().enumerate() {
        // A ceiling is not looked into, unless one stands in it.
        if n > 0 && ceilings.iter().any(|c| c == at) {
            return false;
        }
        if at.join(".git").symlink_metadata().is_ok() {
            return true;
        }
    }
    false
}

impl Repository {
    /// Asks git for the repository around `folder`, and turns off the filters that it has configured.
    ///
    /// # Errors
    /// If there is none with a work folder, or git refuses to look at it.
    pub fn find(folder: &Path, setting: &mut Setting) -> Result<Self, GitError> {
        const FIND: [&str; 7] = [
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--git-dir",
            "--git-path",
            "objects",
            "HEAD",
        ];
        let asked = &*setting;
        let (found, filters) = std::thread::scope(|scope| {
            let filters = scope.spawn(|| filters(asked, folder));
            (asked.try_call(folder, &FIND, b""), filters.join())
        });
        let (finished, answer) = found?;
        let answer = String::from_utf8(answer).map_err(|_| GitError::Answer("rev-parse"))?;
        let mut lines = answer.lines();
        let mut path = || lines.next().map(PathBuf::from);
        let (Some(top), Some(git_dir), Some(objects)) = (path(), path(), path()) else {
            accepted(&FIND, &finished)?;
            return Err(GitError::Answer("rev-parse"));
        };
        // Without a commit it repeats the word, and refuses.
        let head = lines.next().filter(|text| is_object_id(text)).map(str::to_owned);
        setting.more = filters.map_err(|_| GitError::Answer("config"))??;
        Ok(Self { top, git_dir, objects, head })
    }
}

/// Settings that keep the repository's filters from running: they are programs, and may write to it.
fn filters(setting: &Setting, folder: &Path) -> Result<Vec<String>, GitError> {
    let wanted = ["config", "--null", "--name-only", "--get-regexp", "^filter\\..*\\.(clean|process)$"];
    // It refuses where there is none.
    let (_, answer) = setting.try_call(folder, &wanted, b"")?;
    let names: std::collections::BTreeSet<&str> = answer
        .split(|b| *b == 0)
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter_map(|name| name.rsplit_once('.').map(|(filter, _)| filter))
        .filter(|filter| !filter.contains('='))
        .collect();
    let off = |filter: &str| ["clean=", "process=", "required=false"].map(|s| format!("{filter}.{s}"));
    Ok(names.into_iter().flat_map(off).collect())
}

pub(super) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
