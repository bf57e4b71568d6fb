//! How many buses a project has and how large they are.

use crate::tree::{Result, Tree, bus::BusOwner, ids::ProjectId, refs::TaskRef};

/// The buses of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BusStats {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Looks at the buses of a project and of its tasks; nothing is opened.
///
/// # Errors
/// If a folder cannot be read.
pub fn of_project(tree: &Tree, project: &ProjectId) -> Result<BusStats> {
    let mut stats = BusStats::default();
    let task = |task| BusOwner::Task(TaskRef { project: project.clone(), task });
    let tasks = tree.tasks(project)?.into_iter().map(task);
    for owner in std::iter::once(BusOwner::Project(project.clone())).chain(tasks) {
        if let Some(stat) = tree.root().stat(&owner.path())? {
            stats.files += 1;
            stats.bytes += stat.len;
        }
    }
    Ok(stats)
}
