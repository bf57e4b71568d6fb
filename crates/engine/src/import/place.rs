//! Moves written tasks to their places, many with one sync.
//!
//! A sync of each file would take almost all the time of an import. The files of a task are therefore written to a folder in
//! the trash, without a sync. One call then makes everything on the file system durable, for many tasks, and only after
//! that the folders get their names. An import that was interrupted leaves folders in the trash, which `fsck` removes,
//! and the next import writes these tasks again.

use super::report::{ImportError, Imported, Outcome};
use base::fsx::{RelPath, Root};
use tree::refs::TaskRef;

/// Number of files that are written before they are made durable together.
const FILES: usize = 4000;

/// A task that is written to a folder in the trash.
#[derive(Debug)]
pub(super) struct WrittenTask {
    pub(super) task: TaskRef,
    pub(super) aside: RelPath,
    /// The number of its files.
    pub(super) files: usize,
    /// Its position in the report.
    pub(super) line: usize,
}

/// The tasks that are written and have no place yet.
#[derive(Debug)]
pub(super) struct Unplaced<'a> {
    root: &'a Root,
    tasks: Vec<WrittenTask>,
    files: usize,
}

impl<'a> Unplaced<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, tasks: Vec::new(), files: 0 }
    }

    /// Adds a task. If there are many files by now, all tasks get their places.
    pub(super) fn add(&mut self, written: WrittenTask, report: &mut [Imported]) {
        self.files += written.files;
        self.tasks.push(written);
        if self.files >= FILES {
            self.place(report);
        }
    }

    /// Makes all tasks durable and gives them their places. The report says which of them failed.
    pub(super) fn place(&mut self, report: &mut [Imported]) {
        self.files = 0;
        let tasks = std::mem::take(&mut self.tasks);
        if tasks.is_empty() {
            return;
        }
        let durable = self.root.sync_file_system();
        let mut batch = self.root.batch();
        for WrittenTask { task, aside, line, .. } in &tasks {
            let placed = durable.clone().and_then(|()| {
                batch.mkdir(task.project_dir().path())?;
                batch.rename(aside, task.dir().path())
            });
            if let Err(e) = placed {
                // If this fails, too, `fsck` finds the folder in the trash.
                let _ = self.root.remove_tree(aside);
                report[*line].fail(&e.into());
            }
        }
        if let Err(e) = batch.commit() {
            let why = e.into();
            for written in tasks {
                report[written.line].fail(&why);
            }
        }
    }
}

impl Imported {
    fn fail(&mut self, why: &ImportError) {
        self.outcome = Outcome::Skipped;
        self.notes = vec![why.chain()];
    }
}
