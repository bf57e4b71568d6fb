//! Projects and their homes. A home is the folder that `PROJECT-ROOT.txt` names. The project of a folder is found by
//! the folder's canonical path, never by its name alone.

use std::path::Path;

use crate::runner::{
    Runner,
    accept::folder,
    error::{Result, RunnerError},
};
use base::fsx;
use tree::{
    Tree, TreeError,
    ids::{ProjectId, RunId},
    paths::{ProjectDir, top},
};

/// Maximum number of projects that are named after folders of one name.
const SAME_NAME: u32 = 1000;

/// Creates a project with `home` as the working folder of its agents; it is durable when this function returns.
///
/// # Errors
/// [`RunnerError::WorkFolder`] unless `home` is an absolute path of a usable folder outside the tree;
/// [`TreeError::Exists`] if the project already exists.
pub fn create_project(runner: &Runner, project: &ProjectId, home: &Path) -> Result<()> {
    check_home(runner, home)?;
    match publish(runner, project, home)? {
        Published::Made => Ok(()),
        Published::AlreadyThere => Err(TreeError::Exists { what: format!("project {project}") }.into()),
    }
}

/// Returns the project of a folder, given by its canonical path: the one with this home, else a free name for a new
/// one. A folder inside the tree belongs to the project that contains it. `None` if a project cannot be named after
/// the folder.
///
/// Nothing is created: [`crate::runner::accept()`] creates the project, and refuses it if another folder has got the
/// name meanwhile.
///
/// # Errors
/// If the tree cannot be read.
pub fn project_of(tree: &Tree, folder: &Path) -> Result<Option<ProjectId>> {
    let root = tree.root();
    if let Ok(below) = folder.strip_prefix(fsx::resolve(root.path())?) {
        let first = below.components().next().and_then(|name| name.as_os_str().to_str());
        return Ok(first.and_then(|name| name.parse().ok()));
    }
    let named = folder.file_name().and_then(|name| ProjectId::from_name(&name.to_string_lossy()));
    let mut found = None;
    for project in tree.projects()? {
        if is_home(tree, &project, folder)? {
            // Several projects may have been given one home by hand: the project named after the folder takes
            // precedence.
            if Some(&project) == named.as_ref() {
                return Ok(Some(project));
            }
            found = found.or(Some(project));
        }
    }
    let Some(named) = named.filter(|_| found.is_none()) else { return Ok(found) };
    for n in 1..=SAME_NAME {
        let name = if n == 1 { named.clone() } else { named.numbered(n) };
        // Another process may have created the project of this very folder since the listing.
        if !root.exists(ProjectDir::new(&name).path())? || is_home(tree, &name, folder)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Returns the existing project of a folder, given by its canonical path; `None` if the folder has none yet.
///
/// # Errors
/// If the tree cannot be read.
pub fn existing_project_of(tree: &Tree, folder: &Path) -> Result<Option<ProjectId>> {
    let Some(project) = project_of(tree, folder)? else { return Ok(None) };
    Ok(tree.projects()?.contains(&project).then_some(project))
}

/// Returns true if the home of a project is this folder, given by its canonical path.
pub(in crate::runner) fn is_home(tree: &Tree, project: &ProjectId, folder: &Path) -> Result<bool> {
    // A project that is only shown takes no new task.
    if tree.root().is_only_shown(ProjectDir::new(project).path()) {
        return Ok(false);
    }
    // An unreadable file names no folder; `doctor` reports it.
    let Ok(Some(home)) = tree.project_home(project) else { return Ok(false) };
    Ok(home.is_absolute() && (home == folder || fsx::resolve(&home)? == folder))
}

/// Fails if a folder cannot be a project's home.
///
/// # Errors
/// [`RunnerError::WorkFolder`] with the reason.
pub fn check_home(runner: &Runner, home: &Path) -> Result<()> {
    let bad = |problem: &str| RunnerError::WorkFolder { path: home.to_owned(), problem: problem.to_owned() };
    let real = folder::usable(home)?;
    if real.starts_with(fsx::resolve(runner.tree.root().path())?) {
        return Err(bad("lies in the root of the tree"));
    }
    if home.to_str().is_none_or(|text| text.contains(['\n', '\r'])) {
        return Err(bad("has a name with a line break or other control character"));
    }
    Ok(())
}

/// States if [`publish`] created the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Published {
    Made,
    AlreadyThere,
}

/// Creates a project together with its home, durably: a reader finds either no project, or the project with its home.
/// Of several processes that want the name, one creates it.
pub(in crate::runner) fn publish(runner: &Runner, project: &ProjectId, home: &Path) -> Result<Published> {
    let root = runner.tree.root();
    let dir = ProjectDir::new(project);
    if root.exists(dir.path())? {
        return Ok(Published::AlreadyThere);
    }
    // Named like a deleted folder: `fsck` removes it if this process dies.
    let aside = top::trash().join(RunId::generate(runner.tree.clock().now()));
    root.ensure_dir(&aside)?;
    root.replace(&aside.join(dir.root_marker().name()), format!("{}\n", home.display()).as_bytes())?;
    // rename(2) does not replace a folder that is not empty.
    let renamed = root.rename(&aside, dir.path());
    match renamed {
        Ok(()) => Ok(Published::Made),
        Err(e) => {
            root.remove_tree(&aside)?;
            if root.exists(dir.path())? { Ok(Published::AlreadyThere) } else { Err(e.into()) }
        }
    }
}
