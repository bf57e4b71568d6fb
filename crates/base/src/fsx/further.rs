//! Further trees that a root shows: their tasks appear as if they lay below the root, and cannot be changed.
//!
//! The first two names of a path, a project and a task, decide where it lies. A task of the root hides one of the same
//! name in a further tree. A project that only a further tree has is that tree's; the files of a project that the root
//! has, too, are the root's. Names that begin with `_` are not those of projects: no further tree has a part in them.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, OFlags};

use super::{
    error::{FsError, FsErrorKind, Result, found},
    rel::RelPath,
    root::Root,
    shown::{Part, Shown, is_own, is_same, kind, part},
};

impl Root {
    /// Returns this root with the tasks of further trees in it, and the errors of those trees that cannot be opened and
    /// are left out.
    ///
    /// # Errors
    /// If the root itself cannot be opened again.
    pub fn showing(&self, trees: &[PathBuf]) -> Result<(Self, Vec<FsError>)> {
        let (mut shown, mut failed) = (Vec::new(), Vec::new());
        for tree in trees {
            match Shown::open(tree) {
                // Its tasks are there already.
                Ok(tree) if is_same(tree.fd(), self.fd()) => {}
                Ok(tree) => shown.push(tree),
                Err(e) => failed.push(e),
            }
        }
        Ok((Self::open_with(self.path(), self.durability(), shown)?, failed))
    }

    /// Returns the further tree in which a path lies; `None`: it lies below the root itself, or nowhere.
    pub(super) fn shown_in(&self, rel: &RelPath) -> Option<&Shown> {
        let trees = self.shown();
        if trees.is_empty() {
            return None;
        }
        let with = |path: &Path| trees.iter().find(|tree| kind(tree.fd(), path) == Some(FileType::Directory));
        let own = |path: &Path| kind(self.fd(), path).is_some();
        match part(rel.as_path()) {
            Part::Own => None,
            Part::Project(project) if own(project) => None,
            Part::Project(project) => with(project),
            Part::Task(_, task) if own(&task) => None,
            Part::Task(project, task) => {
                with(&task).or_else(|| if own(project) { None } else { with(project) })
            }
        }
    }

    /// Returns true if a path lies in a tree that is only shown.
    #[must_use]
    pub fn is_only_shown(&self, rel: &RelPath) -> bool {
        self.shown_in(rel).is_some()
    }

    /// Refuses to change a path that lies in a tree that is only shown.
    pub(super) fn may_change(&self, op: &'static str, rel: &RelPath) -> Result<()> {
        match self.shown_in(rel) {
            None => Ok(()),
            Some(tree) => Err(FsError::only_shown(op, &tree.path().join(rel.as_path()))),
        }
    }

    /// Opens the folders of all trees that a folder lists by name, the most important first; none if there is no such
    /// folder.
    pub(super) fn listed(&self, rel: &RelPath) -> Result<Vec<OwnedFd>> {
        let first = found(self.dir("list", rel))?;
        let mut folders: Vec<OwnedFd> = first.into_iter().collect();
        let everywhere = *rel == RelPath::top() || matches!(part(rel.as_path()), Part::Project(_));
        if everywhere {
            let hidden = self.shown_in(rel).map(Shown::path);
            for tree in self.shown().iter().filter(|tree| Some(tree.path()) != hidden) {
                match self.open_in(tree.fd(), "list", rel, OFlags::RDONLY | OFlags::DIRECTORY) {
                    Ok(folder) => folders.push(folder),
                    Err(e) if matches!(e.kind(), FsErrorKind::NotFound | FsErrorKind::NotAFolder) => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(folders)
    }

    /// Returns true if a name of a further tree's folder belongs into the list of a folder.
    pub(super) fn belongs(dir: &OwnedFd, name: &str) -> bool {
        !is_own(name.as_bytes()) && kind(dir.as_fd(), Path::new(name)) == Some(FileType::Directory)
    }

    /// Returns the absolute paths of a folder in all trees that have it, for watching them.
    #[must_use]
    pub fn absolute_everywhere(&self, rel: &RelPath) -> Vec<PathBuf> {
        let below =
            |path: &Path| if *rel == RelPath::top() { path.to_owned() } else { path.join(rel.as_path()) };
        let own = std::iter::once((self.fd(), self.path()));
        let trees = own.chain(self.shown().iter().map(|tree| (tree.fd(), tree.path())));
        trees.filter(|(fd, _)| kind(*fd, rel.as_path()).is_some()).map(|(_, path)| below(path)).collect()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test creates the further trees")]
mod tests {
    use super::*;
    use crate::fsx::Durability;
    use std::fs;

    /// A root with the tasks `both/own` and `own/t`, and a further tree with `both/own`, `both/far` and `far/t`.
    fn roots() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        for task in ["root/both/own", "root/own/t", "more/both/own", "more/both/far", "more/far/t"] {
            fs::create_dir_all(dir.path().join(task)).unwrap();
            fs::write(dir.path().join(task).join("file"), task).unwrap();
        }
        for file in ["root/both/HOME", "more/both/HOME", "more/far/HOME", "more/both/MORE", "more/_planner"] {
            fs::write(dir.path().join(file), file).unwrap();
        }
        let root = Root::open(&dir.path().join("root"), Durability::Never).unwrap();
        let missing = dir.path().join("missing");
        let (root, failed) = root.showing(&[missing.clone(), dir.path().join("more")]).unwrap();
        assert_eq!(failed.iter().map(|e| &e.path).collect::<Vec<_>>(), [&missing]);
        (dir, root)
    }

    fn rel(path: &str) -> RelPath {
        RelPath::new(path).unwrap()
    }

    #[test]
    fn a_path_is_read_where_it_lies() {
        let (dir, root) = roots();
        for (path, tree) in [
            ("both/own/file", Some("root")),
            ("both/far/file", Some("more")),
            ("own/t/file", Some("root")),
            ("far/t/file", Some("more")),
            ("both/HOME", Some("root")),
            ("far/HOME", Some("more")),
            ("both/MORE", None),
            ("_planner", None),
            ("none/t/file", None),
        ] {
            assert_eq!(root.exists(&rel(path)).unwrap(), tree.is_some(), "{path}");
            let lies = tree.map_or("root", |tree| tree);
            assert_eq!(root.absolute(&rel(path)), dir.path().join(lies).join(path));
            assert_eq!(root.relative(&dir.path().join(lies).join(path)), Some(rel(path)));
            assert_eq!(root.is_only_shown(&rel(path)), tree == Some("more"), "{path}");
        }
    }

    #[test]
    fn lists_have_every_name_once() {
        let (_dir, root) = roots();
        let names = |path: &RelPath| -> Vec<String> {
            root.list(path).unwrap().into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(&RelPath::top()), ["both", "far", "own"]);
        assert_eq!(names(&rel("both")), ["HOME", "far", "own"]);
        assert_eq!(names(&rel("far")), ["HOME", "t"]);
        assert_eq!(names(&rel("both/own")), ["file"]);
        assert_eq!(names(&rel("none")), [""; 0]);
    }

    #[test]
    fn nothing_that_is_only_shown_is_changed() {
        let (dir, root) = roots();
        let holder = crate::fsx::Holder::named("test");
        let refusals = [
            root.replace(&rel("far/t/file"), b"x").err(),
            root.replace(&rel("far/HOME"), b"x").err(),
            root.publish(&rel("both/far/new"), b"x").err(),
            root.mark(&rel("both/far/STOP")).err(),
            root.remove(&rel("both/far/file")).err(),
            root.remove_tree(&rel("both/far")).err(),
            root.rename(&rel("both/far"), &rel("_trash")).err(),
            root.mkdir(&rel("far/new")).err(),
            root.mkdir(&rel("both/far")).err(),
            root.try_lock(&rel("far/t/lock"), &holder).err(),
            root.reserve(&rel("far/t/exit"), 10).err(),
            root.open_append(&rel("far/t/out")).err(),
        ];
        for (n, refusal) in refusals.iter().enumerate() {
            let kind = refusal.as_ref().map(FsError::kind);
            assert_eq!(kind, Some(FsErrorKind::OnlyShown), "{n}: {refusal:?}");
        }
        assert_eq!(fs::read_dir(dir.path().join("more/far")).unwrap().count(), 2);
        // The root's own part of a project that both have is its own.
        assert!(root.mkdir(&rel("both/new")).unwrap() && root.mark(&rel("both/own/DONE")).unwrap());
        root.replace(&rel("both/MORE"), b"x").unwrap();
        assert!(!root.is_locked(&rel("far/t/file")).unwrap());
    }
}
