//! Finds things of the wrong kind at the names of our files: what an agent left there, and what was set aside.

use std::fmt;

use base::{
    fsx::{EntryKind, RelPath, set_aside_from},
    names,
};
use tree::{
    Fault, Result, Tree,
    ids::ProjectId,
    paths::{ProjectDir, RunDir, TaskDir},
    refs::{RunRef, TaskRef},
};

/// A thing of the wrong kind in one of our folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongKind {
    /// Its path.
    pub path: RelPath,
    /// The kind of thing, in words that fit after "is".
    pub kind: &'static str,
}

impl WrongKind {
    /// Returns our name at which it stood before it was set aside; `None` if it is still there.
    #[must_use]
    pub fn set_aside_from(&self) -> Option<&str> {
        set_aside_from(self.path.name())
    }
}

/// Prints one sentence without its full stop.
impl fmt::Display for WrongKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind) = (self.path.name(), self.kind);
        match self.set_aside_from() {
            Some(ours) => write!(f, "{ours} was {kind}, which counts as absent; it is now {name}"),
            None => write!(f, "{name} is {kind}, which counts as absent"),
        }
    }
}

/// Returns the things of the wrong kind in a run's folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn of_run(tree: &Tree, run: &RunRef) -> Result<Vec<WrongKind>> {
    in_folder(tree, run.dir().path(), RunDir::NAMES, &[names::run::GIT])
}

/// Returns the things of the wrong kind in a task's folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn of_task(tree: &Tree, task: &TaskRef) -> Result<Vec<WrongKind>> {
    in_folder(tree, task.dir().path(), TaskDir::NAMES, &[names::task::RUNS])
}

/// Returns the things of the wrong kind in a project's folder, its tasks aside.
///
/// # Errors
/// If the folder cannot be read.
pub fn of_project(tree: &Tree, project: &ProjectId) -> Result<Vec<WrongKind>> {
    in_folder(tree, ProjectDir::new(project).path(), ProjectDir::NAMES, &[])
}

/// Returns true if a marker is set. A thing of the wrong kind counts as absent, and is a fault.
///
/// # Errors
/// If the folder cannot be searched.
pub(super) fn is_set(tree: &Tree, marker: &RelPath, faults: &mut Vec<Fault>) -> Result<bool> {
    let root = tree.root();
    match root.stat(marker)?.map(|stat| stat.kind) {
        Some(EntryKind::File) => return Ok(true),
        Some(_) => {
            let kind = root.wrong_kind(marker)?;
            let problem = kind.map(|kind| format!("is {kind}, which counts as absent; remove it"));
            faults.extend(problem.map(|problem| Fault { path: root.absolute(marker), problem }));
        }
        None => {}
    }
    Ok(false)
}

fn in_folder(tree: &Tree, folder: &RelPath, ours: &[&str], folders: &[&str]) -> Result<Vec<WrongKind>> {
    let root = tree.root();
    let mut found = Vec::new();
    for (name, stat) in root.list_with_stats(folder)? {
        let wrong = stat.kind != EntryKind::File
            && ours.contains(&name.as_str())
            && !folders.contains(&name.as_str());
        if wrong || set_aside_from(&name).is_some_and(|name| ours.contains(&name)) {
            let path = folder.join(&name);
            if let Some(kind) = root.wrong_kind(&path)? {
                found.push(WrongKind { path, kind });
            }
        }
    }
    Ok(found)
}
