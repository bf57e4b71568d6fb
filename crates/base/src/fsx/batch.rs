//! Several files and folders that are valid only together: created one after the other, made durable at once.
//!
//! A sync waits for the disk, and most of that wait is shared by all files written at about the same time. Some files
//! have no meaning until another file exists: the files of a task, for example, until its ticket exists. They are
//! synced once at the end, before that other file is written.

use std::{collections::BTreeSet, fs::File};

use super::{
    atomic::Unnamed,
    error::Result,
    rel::RelPath,
    root::Root,
    steps::step,
    together::{self, Helpers, Target},
};

/// Files and folders that are created together.
#[derive(Debug)]
#[must_use = "nothing of it is durable before it is committed"]
pub struct Batch<'a> {
    root: &'a Root,
    files: Vec<(RelPath, File)>,
    dirs: BTreeSet<RelPath>,
    helpers: Helpers,
}

impl Root {
    /// Begins an empty batch.
    pub fn batch(&self) -> Batch<'_> {
        Batch { root: self, files: Vec::new(), dirs: BTreeSet::new(), helpers: Helpers::Some }
    }
}

impl Batch<'_> {
    /// Commits on the calling thread alone, for a process that must have only one thread.
    pub fn without_helpers(mut self) -> Self {
        self.helpers = Helpers::None;
        self
    }

    /// Creates one folder. Returns `false` if it existed already.
    ///
    /// # Errors
    /// If the parent is missing or cannot be written.
    pub fn mkdir(&mut self, rel: &RelPath) -> Result<bool> {
        let (made, _) = self.root.make_dir(rel)?;
        // Also if it existed: its creator may have died before it was durable.
        self.dirs.insert(rel.parent());
        Ok(made)
    }

    /// Creates or replaces a file. A reader sees either the old file or the new one. After a power cut before the
    /// commit it may be empty.
    ///
    /// # Errors
    /// If the file cannot be written. The old content is kept then.
    pub fn write(&mut self, rel: &RelPath, bytes: &[u8]) -> Result<()> {
        let file = self.root.replace_unsynced(rel, bytes)?;
        self.files.push((rel.clone(), file));
        self.dirs.insert(rel.parent());
        Ok(())
    }

    /// Moves a file or folder within the root. An existing file at the target is replaced.
    ///
    /// # Errors
    /// If the source is missing, or the target is a folder that is not empty.
    pub fn rename(&mut self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.root.rename_unsynced(from, to)?;
        self.dirs.extend([from.parent(), to.parent()]);
        Ok(())
    }

    /// Creates a file in `folder` that gets its name only after the whole batch is durable.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_unnamed(&mut self, folder: &RelPath, bytes: &[u8]) -> Result<Unnamed> {
        let (unnamed, file) = self.root.write_unnamed(folder, bytes)?;
        self.files.push((folder.clone(), file));
        Ok(unnamed)
    }

    /// Makes the whole batch durable, everything at the same time: none of it has a meaning before this returns.
    ///
    /// # Errors
    /// If the disk fails. The files exist then but may not be durable.
    pub fn commit(self) -> Result<()> {
        let Self { root, files, dirs, helpers } = self;
        // Starts writing all files before waiting for the first, so that one transaction of the file system covers
        // them.
        for (_, file) in &files {
            // The advice starts writing on Linux. Elsewhere the commit only takes longer.
            let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
        }
        let (mut names, mut targets) = (Vec::new(), Vec::new());
        for (rel, file) in files {
            step();
            names.push((rel, "sync"));
            targets.push(Target::File(file.into()));
        }
        for rel in dirs {
            step();
            targets.push(Target::Folder(root.dir("sync folder", &rel)?));
            names.push((rel, "sync folder"));
        }
        together::sync(targets, helpers).map_err(|(at, e)| {
            let (rel, op) = &names[at];
            root.error(op, rel, e)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsx::Durability;

    #[test]
    fn what_a_batch_makes_is_there_and_leaves_no_temporary_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::create(dir.path(), Durability::Always).unwrap();
        let folder = RelPath::new("a").unwrap();
        let mut batch = root.batch();
        assert!(batch.mkdir(&folder).unwrap() && !batch.mkdir(&folder).unwrap());
        for text in ["old", "new"] {
            batch.write(&folder.join("file"), text.as_bytes()).unwrap();
        }
        assert!(batch.write(&RelPath::new("b/file").unwrap(), b"").is_err(), "no such folder");
        let (dropped, kept) =
            (batch.write_unnamed(&folder, b"1").unwrap(), batch.write_unnamed(&folder, b"2").unwrap());
        batch.commit().unwrap();
        drop(dropped);
        kept.name(&folder.join("late")).unwrap();
        assert_eq!(root.read_opt(&folder.join("file"), 100).unwrap().unwrap(), b"new");
        assert_eq!(root.read_opt(&folder.join("late"), 100).unwrap().unwrap(), b"2");
        let names: Vec<String> = root.list(&folder).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["file", "late"]);
    }
}
