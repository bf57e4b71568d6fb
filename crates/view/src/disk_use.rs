//! The disk space of projects. Nothing is cached: every request reads the size of every file.

use base::fsx::{EntryKind, RelPath};
use tree::{Result, Tree, ids::ProjectId, paths::ProjectDir};

/// Returns the bytes of all files of a project.
///
/// # Errors
/// If a folder cannot be read.
pub fn of_project(tree: &Tree, project: &ProjectId) -> Result<u64> {
    let mut bytes = 0;
    let mut folders: Vec<RelPath> = vec![ProjectDir::new(project).path().clone()];
    while let Some(folder) = folders.pop() {
        for entry in tree.root().list(&folder)? {
            let path = folder.join(&entry.name);
            match entry.kind {
                EntryKind::Dir => folders.push(path),
                // A file that is removed meanwhile takes no room.
                EntryKind::File => bytes += tree.root().stat(&path)?.map_or(0, |s| s.len),
                EntryKind::Other => {}
            }
        }
    }
    Ok(bytes)
}
