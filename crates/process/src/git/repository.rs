//! Finds the repository that a folder belongs to.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::call::{GitError, Setting, accepted};

/// The repository around a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Top of its work folder.
    pub top: PathBuf,
    /// Its git folder; in a linked worktree the folder of that worktree.
    pub git_dir: PathBuf,
    /// The git folder that all its worktrees share.
    pub common_dir: PathBuf,
    /// Folder of its objects.
    pub objects: PathBuf,
    /// The commit that is checked out; `None` in a repository without commits.
    pub head: Option<String>,
    /// Full name of the branch that is checked out, or `HEAD`; `None` in a repository without commits.
    pub branch: Option<String>,
    /// Its branches, tags and other references, each with its object; `None` if there are more than [`MAX_REFS`], or
    /// git could not list them.
    pub refs: Option<BTreeMap<String, String>>,
}

/// Largest number of references that are compared.
pub const MAX_REFS: usize = 2000;

/// Returns true if there may be a repository around `folder`. Starts no program.
#[must_use]
pub fn is_in_work_tree(folder: &Path, setting: &Setting) -> bool {
    let ceilings: Vec<PathBuf> = setting.ceilings().collect();
    for (n, at) in folder.ancestors().enumerate() {
        // The search does not enter a ceiling, unless it starts there.
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
    /// Asks git for the repository around `folder`, and disables the filters that the repository configures.
    ///
    /// # Errors
    /// If there is no repository with a work folder, or git refuses to read it.
    pub fn find(folder: &Path, setting: &mut Setting) -> Result<Self, GitError> {
        const FIND: [&str; 10] = [
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--git-dir",
            "--git-common-dir",
            "--git-path",
            "objects",
            "HEAD",
            "--symbolic-full-name",
            "HEAD",
        ];
        let asked = &*setting;
        let (found, filters, refs) = std::thread::scope(|scope| {
            let filters = scope.spawn(|| filters(asked, folder));
            let refs = scope.spawn(|| refs(asked, folder));
            (asked.try_call(folder, &FIND, b""), filters.join(), refs.join())
        });
        let (finished, answer) = found?;
        let answer = String::from_utf8(answer).map_err(|_| GitError::Answer("rev-parse"))?;
        let mut lines = answer.lines();
        let mut path = || lines.next().map(PathBuf::from);
        let (Some(top), Some(git_dir), Some(common_dir), Some(objects)) = (path(), path(), path(), path())
        else {
            accepted(&FIND, &finished)?;
            return Err(GitError::Answer("rev-parse"));
        };
        // Without a commit git repeats the word HEAD and fails.
        let head = lines.next().filter(|text| is_object_id(text)).map(str::to_owned);
        let branch = lines.next().map(str::to_owned);
        setting.more = filters.map_err(|_| GitError::Answer("config"))??;
        let refs = refs.ok().and_then(Result::ok).flatten();
        Ok(Self { top, git_dir, common_dir, objects, head, branch, refs })
    }
}

/// Returns the references of a repository; `None` if there are too many.
fn refs(setting: &Setting, folder: &Path) -> Result<Option<BTreeMap<String, String>>, GitError> {
    let count = format!("--count={}", MAX_REFS + 1);
    let answer = setting.call(folder, &["for-each-ref", &count, "--format=%(objectname) %(refname)"], b"")?;
    let answer = String::from_utf8_lossy(&answer);
    let lines = answer.lines().filter_map(|line| line.split_once(' '));
    let refs: BTreeMap<_, _> = lines.map(|(id, name)| (name.to_owned(), id.to_owned())).collect();
    Ok((refs.len() <= MAX_REFS).then_some(refs))
}

/// Returns settings that disable the repository's filters: filters are programs and may write to the repository.
fn filters(setting: &Setting, folder: &Path) -> Result<Vec<String>, GitError> {
    let wanted = ["config", "--null", "--name-only", "--get-regexp", "^filter\\..*\\.(clean|process)$"];
    // Git fails if no filter is configured.
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
