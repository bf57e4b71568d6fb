//! Lists projects, tasks and runs: the folders that have ids as names.

use std::str::FromStr;

use super::{
    Tree,
    error::Result,
    ids::{ProjectId, RunId, TaskId},
    paths::ProjectDir,
    refs::TaskRef,
};
use base::fsx::{EntryKind, RelPath};

impl Tree {
    /// Returns every project, sorted.
    ///
    /// # Errors
    /// If the root cannot be read.
    pub fn projects(&self) -> Result<Vec<ProjectId>> {
        self.folders(&RelPath::top())
    }

    /// Returns every task of a project, sorted; empty if the project does not exist.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn tasks(&self, project: &ProjectId) -> Result<Vec<TaskId>> {
        self.folders(ProjectDir::new(project).path())
    }

    /// Returns every run of a task, oldest first; empty if the task does not exist.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn runs(&self, task: &TaskRef) -> Result<Vec<RunId>> {
        self.folders(&task.dir().runs())
    }

    fn folders<T: FromStr>(&self, folder: &RelPath) -> Result<Vec<T>> {
        let entries = self.root().list(folder)?;
        Ok(entries.iter().filter(|e| e.kind == EntryKind::Dir).filter_map(|e| e.name.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};

    #[test]
    fn only_folders_with_ids_for_names_count() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
        let root = tree.root();
        for path in ["p/t/runs/20260205-10000100001-1-0001", "p/t/runs/.tmp", "p/a b", "_daemon/x", "q"] {
            root.ensure_dir(&RelPath::new(path).unwrap()).unwrap();
        }
        root.mark(&RelPath::new("p/file").unwrap()).unwrap();
        let project: ProjectId = "p".parse().unwrap();
        let task = TaskRef { project: project.clone(), task: "t".parse().unwrap() };
        assert_eq!(tree.projects().unwrap(), [project.clone(), "q".parse().unwrap()]);
        assert_eq!(tree.tasks(&project).unwrap(), std::slice::from_ref(&task.task));
        assert_eq!(tree.runs(&task).unwrap().len(), 1);
        assert_eq!(tree.tasks(&"absent".parse().unwrap()).unwrap(), []);
    }
}
