//! `task.lock`: the right to drive a task, which includes writing the records of its runs.

use super::{
    Tree,
    error::{Result, TreeError},
    refs::{RunRef, TaskRef},
    run_info::RunInfo,
    task::TaskConfig,
};
use base::{
    fsx::{Batch, Holder, Lock, LockAttempt},
    record,
};

/// A held task lock. Functions that write a task's records require it, so that a task has only one writer.
#[derive(Debug)]
pub struct TaskLock {
    task: TaskRef,
    lock: Lock,
}

impl Tree {
    /// Takes the lock of a task that has a folder.
    ///
    /// # Errors
    /// [`TreeError::Locked`], which names the holder.
    pub fn lock_task(&self, task: &TaskRef, holder: &Holder) -> Result<TaskLock> {
        match self.root().try_lock(&task.dir().lock(), holder)? {
            LockAttempt::Taken(lock) => Ok(TaskLock { task: task.clone(), lock }),
            LockAttempt::Held(by) => Err(TreeError::Locked { what: format!("task {task}"), by }),
        }
    }

    /// Returns true if a process drives the task now.
    ///
    /// # Errors
    /// If the lock file cannot be opened.
    pub fn is_driven(&self, task: &TaskRef) -> Result<bool> {
        Ok(self.root().is_locked(&task.dir().lock())?)
    }

    /// Returns the process that drives the task now, if there is one.
    ///
    /// # Errors
    /// If the lock file cannot be read.
    pub fn driver_of(&self, task: &TaskRef) -> Result<Option<Holder>> {
        if !self.is_driven(task)? {
            return Ok(None);
        }
        let text = self.root().read_opt(&task.dir().lock(), 4096)?.unwrap_or_default();
        Ok(Some(Holder::of_text(&String::from_utf8_lossy(&text))))
    }

    /// Reads the record of a run.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if there is none. A corrupt record is left unchanged.
    pub fn run_info(&self, run: &RunRef) -> Result<RunInfo> {
        record::read(self.root(), &run.dir().info())?
            .ok_or_else(|| TreeError::NotFound { what: format!("run-info.yaml of run {run}") })
    }

    /// Reads the settings of a task.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] if there are none.
    pub fn task_config(&self, task: &TaskRef) -> Result<TaskConfig> {
        record::read(self.root(), &task.dir().config())?
            .ok_or_else(|| TreeError::NotFound { what: format!("TASK-CONFIG.yaml of task {task}") })
    }
}

impl TaskLock {
    /// Returns the task.
    #[must_use]
    pub fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Names another part of this process as the holder.
    pub fn sign(&self, holder: &Holder) {
        self.lock.sign(holder);
    }

    /// Writes the record of a run of this task.
    ///
    /// # Errors
    /// If the disk fails. The old record is kept then.
    pub fn write_run_info(&self, tree: &Tree, info: &RunInfo) -> Result<()> {
        debug_assert_eq!(info.task_id, self.task.task, "a run of another task");
        Ok(record::write(tree.root(), &self.task.run(info.run_id.clone()).dir().info(), info)?)
    }

    /// Writes the settings of this task.
    ///
    /// # Errors
    /// If the disk fails. The old settings are kept then.
    pub fn write_config(&self, tree: &Tree, config: &TaskConfig, batch: &mut Batch<'_>) -> Result<()> {
        Ok(record::write_in(batch, tree.root(), &self.task.dir().config(), config)?)
    }
}
