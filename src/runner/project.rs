//! Projects and their homes. A home is the folder that `PROJECT-ROOT.txt` names, and a folder without a named project is
//! found by it: by its canonical path, never by its name alone.

use std::path::Path;

use super::{
    Runner,
    error::{Result, RunnerError},
    folder,
};
use crate::{
    fsx,
    tree::{
        TreeError,
        ids::{ProjectId, RunId},
        paths::{ProjectDir, top},
    },
};

/// How many folders of one name get projects that are named after it.
const SAME_NAME: u32 = 1000;

/// Makes a project whose agents work in `home`; when this returns it is durable.
///
/// # Errors
/// [`RunnerError::WorkFolder`] unless `home` is an absolute path of a usable folder outside the tree;
/// [`TreeError::Exists`] if there is such a project.
pub fn create_project(runner: &Runner, project: &ProjectId, home: &Path) -> Result<()> {
    check_home(runner, home)?;
    match publish(runner, project, home)? {
        Published::Made => Ok(()),
        Published::AlreadyThere => Err(TreeError::Exists { what: format!("project {project}") }.into()),
    }
}

/// The project of a folder, given by its canonical path: the one whose home it is, else a free name for a new one.
/// A folder inside the tree belongs to the project that it lies in. `None`: a project cannot be named after it.
///
/// Nothing is made: [`super::accept`] makes the project, and refuses it should another folder have got the name.
///
/// # Errors
/// If the tree cannot be read.
pub fn project_of(runner: &Runner, folder: &Path) -> Result<Option<ProjectId>> {
    let (tree, root) = (&runner.tree, runner.tree.root());
    if let Ok(below) = folder.strip_prefix(fsx::resolve(root.path())?) {
        let first = below.components().next().and_then(|name| name.as_os_str().to_str());
        return Ok(first.and_then(|name| name.parse().ok()));
    }
    let named = folder.file_name().and_then(|name| ProjectId::from_name(&name.to_string_lossy()));
    let mut found = None;
    for project in tree.projects()? {
        if is_home(runner, &project, folder)? {
            // Several projects may have been given one home by hand: the one that bears its name is meant.
            if Some(&project) == named.as_ref() {
                return Ok(Some(project));
            }
            found = found.or(Some(project));
        }
    }
    let Some(named) = named.filter(|_| found.is_none()) else { return Ok(found) };
    for n in 1..=SAME_NAME {
        let name = if n == 1 { named.clone() } else { named.numbered(n) };
        // Another process may have made the project of this very folder since the look at all of them.
        if !root.exists(ProjectDir::new(&name).path())? || is_home(runner, &name, folder)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether the home of a project is this folder, given by its canonical path.
pub(super) fn is_home(runner: &Runner, project: &ProjectId, folder: &Path) -> Result<bool> {
    // A file that cannot be read names no folder; `doctor` shows it.
    let Ok(Some(home)) = runner.tree.project_home(project) else { return Ok(false) };
    Ok(home.is_absolute() && (home == folder || fsx::resolve(&home)? == folder))
}

/// Refuses a folder that cannot be a project's home.
pub(super) fn check_home(runner: &Runner, home: &Path) -> Result<()> {
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

/// Whether [`publish`] made the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    Made,
    AlreadyThere,
}

/// Makes a project together with its home, durably: a reader finds no project, or the project with its home. Of several
/// processes that want the name one makes it.
pub(super) fn publish(runner: &Runner, project: &ProjectId, home: &Path) -> Result<Published> {
    let root = runner.tree.root();
    let dir = ProjectDir::new(project);
    if root.exists(dir.path())? {
        return Ok(Published::AlreadyThere);
    }
    // Named as what is being deleted: `fsck` removes it, should this process die.
    let aside = top::trash().join(RunId::generate(runner.tree.clock().now()));
    root.ensure_dir(&aside)?;
    root.replace(&aside.join(dir.root_marker().name()), format!("{}\n", home.display()).as_bytes())?;
    // A folder with something in it is not replaced by rename(2).
    let renamed = root.rename(&aside, dir.path());
    match renamed {
        Ok(()) => Ok(Published::Made),
        Err(e) => {
            root.remove_tree(&aside)?;
            if root.exists(dir.path())? { Ok(Published::AlreadyThere) } else { Err(e.into()) }
        }
    }
}
