//! Making a project: its folder, and the file that names its work folder.

use std::path::Path;

use super::{
    Runner,
    error::{Result, RunnerError},
};
use crate::{
    fsx,
    tree::{TreeError, ids::ProjectId, paths::ProjectDir},
};

/// Makes a project whose agents work in `home`; when this returns it is durable.
///
/// # Errors
/// [`RunnerError::WorkFolder`] unless `home` is an absolute path of a folder outside the tree;
/// [`TreeError::Exists`] if there is such a project.
pub fn create_project(runner: &Runner, project: &ProjectId, home: &Path) -> Result<()> {
    let root = runner.tree.root();
    let bad = |problem: &str| RunnerError::WorkFolder { path: home.to_owned(), problem: problem.to_owned() };
    if !home.is_absolute() {
        return Err(bad("is not an absolute path"));
    }
    match home.metadata() {
        Err(e) => return Err(bad(&format!("cannot be used: {e}"))),
        Ok(meta) if !meta.is_dir() => return Err(bad("is not a folder")),
        Ok(_) => {}
    }
    if fsx::resolve(home)?.starts_with(fsx::resolve(root.path())?) {
        return Err(bad("lies in the root of the tree"));
    }
    if home.to_str().is_none_or(|text| text.contains(['\n', '\r'])) {
        return Err(bad("has a name with a line break or other control character"));
    }
    let dir = ProjectDir::new(project);
    let mut batch = root.batch();
    if !batch.mkdir(dir.path())? {
        return Err(TreeError::Exists { what: format!("project {project}") }.into());
    }
    batch.write(&dir.root_marker(), format!("{}\n", home.display()).as_bytes())?;
    Ok(batch.commit()?)
}
