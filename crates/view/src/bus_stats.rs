//! The number and size of a project's buses. The sizes are remembered, and only buses that may have grown are read
//! again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tree::{
    Result, Tree,
    bus::BusOwner,
    ids::{ProjectId, TaskId},
};

/// The buses of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BusStats {
    /// Number of files.
    pub files: u64,
    /// Number of bytes in them.
    pub bytes: u64,
}

/// The known sizes of the buses, project by project.
#[derive(Debug, Default)]
pub struct BusSizes(Mutex<HashMap<ProjectId, Sizes>>);

/// The buses of one project; `None` stands for the project's own bus.
#[derive(Debug, Default)]
struct Sizes {
    /// The size in bytes; `None` if the bus has no message yet.
    known: HashMap<Option<TaskId>, Option<u64>>,
    /// The buses that may have changed since their size was read.
    touched: HashSet<Option<TaskId>>,
}

impl BusSizes {
    /// Records that a bus may have changed.
    pub fn touched(&self, owner: &BusOwner) {
        let mut all = self.all();
        if let Some(sizes) = all.get_mut(owner.project()) {
            sizes.touched.insert(owner.task().cloned());
        }
    }

    /// Returns the buses of a project with these tasks. Buses of `live` tasks are always read again, because other
    /// processes write to them.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn of_project<'a>(
        &self,
        tree: &Tree,
        project: &ProjectId,
        tasks: impl Iterator<Item = &'a TaskId>,
        live: impl Iterator<Item = &'a TaskId>,
    ) -> Result<BusStats> {
        let owners: HashSet<Option<TaskId>> = std::iter::once(None).chain(tasks.cloned().map(Some)).collect();
        let due: Vec<Option<TaskId>> = {
            let mut all = self.all();
            let sizes = all.entry(project.clone()).or_default();
            // The set is taken before the sizes are read: a bus that is touched meanwhile is then read again next
            // time.
            let mut touched = std::mem::take(&mut sizes.touched);
            touched.extend(live.cloned().map(Some));
            // The project's own bus is always read again, because every driver that finishes a task posts to it.
            touched.insert(None);
            sizes.known.retain(|owner, _| owners.contains(owner));
            owners.iter().filter(|o| touched.contains(*o) || !sizes.known.contains_key(*o)).cloned().collect()
        };
        let mut looked = Vec::with_capacity(due.len());
        for owner in due {
            let bus = BusOwner::new(project.clone(), owner.clone());
            looked.push((owner, tree.root().stat(&bus.path())?.map(|stat| stat.len)));
        }
        let mut all = self.all();
        let sizes = all.entry(project.clone()).or_default();
        sizes.known.extend(looked);
        let sizes = sizes.known.values().flatten();
        Ok(sizes.fold(BusStats::default(), |sum, bytes| BusStats {
            files: sum.files + 1,
            bytes: sum.bytes + bytes,
        }))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ProjectId, Sizes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};
    use tree::bus::{Draft, MessageType};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test plays another program that created the folders")]
    fn what_was_touched_is_looked_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let project: ProjectId = "p".parse().unwrap();
        let tasks: Vec<TaskId> = ["a", "b"].map(|t| t.parse().unwrap()).to_vec();
        for task in ["a", "b"] {
            std::fs::create_dir_all(folder.path().join("p").join(task)).unwrap();
        }
        let post = |owner: &BusOwner| {
            tree.bus(owner.clone()).post(&Draft::new(MessageType::PROGRESS, "x")).unwrap();
        };
        let sizes = BusSizes::default();
        let stats = |live: &[TaskId]| sizes.of_project(&tree, &project, tasks.iter(), live.iter()).unwrap();
        assert_eq!(stats(&[]), BusStats::default());
        let of_a = BusOwner::new(project.clone(), Some(tasks[0].clone()));
        post(&of_a);
        assert_eq!(stats(&[]).files, 0, "remembered");
        assert_eq!(stats(&tasks[..1]).files, 1, "a live one is looked at");
        let before = stats(&[]).bytes;
        post(&of_a);
        sizes.touched(&of_a);
        post(&BusOwner::new(project.clone(), None));
        let after = stats(&[]);
        assert!(after.files == 2 && after.bytes > 2 * before, "{after:?}");
        let gone = sizes.of_project(&tree, &project, tasks[1..].iter(), [].iter()).unwrap();
        assert_eq!(gone.files, 1, "a task that is gone counts no more");
    }
}
