//! Checks the trees that are only shown: `storage.extra_roots`.

use std::path::{Path, PathBuf};

use super::check::Check;
use base::{clock::Clock, fsx::Durability};
use tree::{Result, Tree, refs::TaskRef};

const NAME: &str = "extra_roots";
/// The number of hidden tasks that a check names.
const NAMED: usize = 3;

/// Checks each further tree: that it can be opened, and that all of its tasks are shown.
#[must_use]
pub fn checks(own: &Tree, trees: &[PathBuf]) -> Vec<Check> {
    trees.iter().map(|path| check(own, path)).collect()
}

fn check(own: &Tree, path: &Path) -> Check {
    let shown = path.display();
    match compare(own, path) {
        Err(e) => Check::warn(
            NAME,
            format!("the tree {shown} cannot be shown: {e}"),
            "correct storage.extra_roots in config.yaml, or mount the file system",
        ),
        Ok((projects, hidden)) if hidden.is_empty() => {
            Check::ok(NAME, format!("the tree {shown} is shown ({projects} projects)"))
        }
        Ok((_, hidden)) => {
            let names: Vec<String> = hidden.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if hidden.len() > NAMED { ", …" } else { "" };
            let what = format!(
                "{} tasks of the tree {shown} are hidden by tasks of the same name: {}{more}",
                hidden.len(),
                names.join(", ")
            );
            Check::warn(NAME, what, format!("look at them with `run-agent list --root {shown}`"))
        }
    }
}

/// Returns the number of projects of a further tree, and its hidden tasks.
fn compare(own: &Tree, path: &Path) -> Result<(usize, Vec<TaskRef>)> {
    let tree = Tree::open(path, Durability::Never, Clock::System)?;
    Ok((tree.projects()?.len(), hidden(own, &tree)?))
}

/// Returns the tasks of a further tree that have the name of an own task.
fn hidden(own: &Tree, tree: &Tree) -> Result<Vec<TaskRef>> {
    let mut hidden = Vec::new();
    for project in tree.projects()? {
        let there = own.tasks(&project)?;
        let same = tree.tasks(&project)?.into_iter().filter(|task| there.contains(task));
        hidden.extend(same.map(|task| TaskRef { project: project.clone(), task }));
    }
    Ok(hidden)
}
