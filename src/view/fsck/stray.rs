//! Names that are nobody's: temporary files, half-deleted folders, folders that are no ids; and modes that are too open.

use super::{Report, Rule, Subject};
use crate::{
    fsx::{EntryKind, RelPath, Root},
    process::identity::ProcStat,
    tree::{
        Result, Tree,
        ids::{ProjectId, RunId, TaskId},
        paths::{ProjectDir, top},
        refs::TaskRef,
    },
};

pub(super) fn names_of_projects(tree: &Tree, report: &mut Report) -> Result<()> {
    names::<ProjectId>(tree, &RelPath::top(), report)?;
    for project in tree.projects()? {
        names::<TaskId>(tree, ProjectDir::new(&project).path(), report)?;
    }
    Ok(())
}

pub(super) fn names_of_runs(tree: &Tree, task: &TaskRef, report: &mut Report) -> Result<()> {
    names::<RunId>(tree, &task.dir().runs(), report)
}

fn names<T: std::str::FromStr>(tree: &Tree, folder: &RelPath, report: &mut Report) -> Result<()> {
    for entry in tree.root().list(folder)? {
        if entry.kind == EntryKind::Dir && !entry.name.starts_with('_') && entry.name.parse::<T>().is_err() {
            let path = tree.root().absolute(folder).join(&entry.name);
            report.add(Rule::BadName, path, "the name is no id, so the folder is passed over", Subject::Path);
        }
    }
    Ok(())
}

/// Walks the whole tree for what a crash may have left on the way to its name, and for open modes.
pub(super) fn temporary_files(tree: &Tree, report: &mut Report) -> Result<()> {
    let root = tree.root();
    for entry in root.list(&top::trash())? {
        let path = root.absolute(&top::trash().join(&entry.name));
        report.add(Rule::Leftover, path, "it was being deleted", Subject::Path);
    }
    let mut todo = vec![RelPath::top()];
    while let Some(folder) = todo.pop() {
        if folder == top::trash() {
            continue;
        }
        for entry in root.list(&folder)? {
            let Ok(path) = RelPath::new(
                root.absolute(&folder)
                    .join(&entry.name)
                    .strip_prefix(root.path())
                    .unwrap_or(folder.as_path()),
            ) else {
                continue;
            };
            if root.stat(&path)?.is_some_and(|s| s.open_to_others) && entry.kind != EntryKind::Other {
                report.add(
                    Rule::OpenMode,
                    root.absolute(&path),
                    "others than its owner may read it",
                    Subject::Path,
                );
            }
            if entry.kind == EntryKind::Dir {
                todo.push(path);
            } else if is_left_behind(root, &folder, &entry.name)? {
                let what = "it was on its way to its name when its writer died";
                report.add(Rule::Leftover, root.absolute(&path), what, Subject::Path);
            }
        }
    }
    Ok(())
}

/// A temporary file names its writer; room for exit.json is in use while the run's lock is held.
fn is_left_behind(root: &Root, folder: &RelPath, name: &str) -> Result<bool> {
    if let Some(rest) = name.strip_prefix(".tmp-") {
        let writer = rest.split('-').next().and_then(|pid| pid.parse().ok());
        return Ok(writer.is_none_or(|pid| ProcStat::of(pid).is_none_or(|s| s.is_dead())));
    }
    if name.starts_with(".reserved-") {
        return Ok(!root.is_locked(&folder.join("run.lock"))?);
    }
    Ok(false)
}
