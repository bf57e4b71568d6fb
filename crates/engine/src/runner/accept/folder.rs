//! The folder that an agent works in. It belongs to the task: it is decided when the task is accepted, recorded in
//! TASK-CONFIG.yaml by its canonical path, and holds for the first run, every restart and every `resume`.

use std::path::{Path, PathBuf};

use crate::runner::{
    Runner,
    error::{Result, RunnerError},
};
use base::fsx;
use tree::{refs::TaskRef, task::TaskConfig};

/// Returns the canonical path of a folder that a caller names, if an agent could work in it.
///
/// # Errors
/// [`RunnerError::WorkFolder`] if it is relative, missing, not a folder, inaccessible, or not spelled in UTF-8.
pub fn usable(folder: &Path) -> Result<PathBuf> {
    check(folder).map_err(|problem| RunnerError::WorkFolder { path: folder.to_owned(), problem })
}

/// Returns the canonical path, or the problem of the folder.
fn check(folder: &Path) -> std::result::Result<PathBuf, String> {
    if !folder.is_absolute() {
        return Err("is not an absolute path".to_owned());
    }
    let real = fsx::usable_folder(folder).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotADirectory if folder.exists() => "is not a folder".to_owned(),
        _ => format!("cannot be used: {e}"),
    })?;
    // Records are text.
    if real.to_str().is_none() {
        return Err("has a name that is not UTF-8 text".to_owned());
    }
    Ok(real)
}

/// Returns the folder of a task that is about to be accepted; `None` stands for the task's own folder.
pub(in crate::runner) fn of_new(
    runner: &Runner,
    task: &TaskRef,
    named: Option<&Path>,
) -> Result<Option<PathBuf>> {
    match named {
        Some(cwd) => usable(cwd).map(Some),
        None => runner.tree.project_home(&task.project)?.map(|home| usable(&home)).transpose(),
    }
}

/// Returns the recorded folder of an accepted task. A task of an older version has no recorded folder: then the
/// folder of its oldest run counts, else the project's home, else the task's own folder.
///
/// # Errors
/// [`RunnerError::TaskFolder`] if it cannot be used any more.
pub(in crate::runner) fn of_task(runner: &Runner, task: &TaskRef, config: &TaskConfig) -> Result<PathBuf> {
    let root = runner.tree.root();
    let own = || root.absolute(task.dir().path());
    let recorded = match &config.cwd {
        Some(cwd) => PathBuf::from(cwd),
        None => match of_oldest_run(runner, task)? {
            Some(RecordedFolder::InItsOwn) => return Ok(own()),
            Some(RecordedFolder::In(folder)) => folder,
            None => match runner.tree.project_home(&task.project)? {
                Some(home) => home,
                None => return Ok(own()),
            },
        },
    };
    check(&recorded).map_err(|problem| RunnerError::TaskFolder {
        path: recorded,
        problem,
        config: root.absolute(&task.dir().config()),
    })
}

/// The folder that a run worked in.
enum RecordedFolder {
    In(PathBuf),
    /// Its task's folder, wherever the tree was then.
    InItsOwn,
}

fn of_oldest_run(runner: &Runner, task: &TaskRef) -> Result<Option<RecordedFolder>> {
    let mut runs = runner.tree.runs(task)?.into_iter();
    let cwd = runs.find_map(|id| runner.tree.run_info(&task.run(id)).ok()?.cwd);
    let worked = |cwd: PathBuf| {
        if is_own(&cwd, task) { RecordedFolder::InItsOwn } else { RecordedFolder::In(cwd) }
    };
    Ok(cwd.map(PathBuf::from).map(worked))
}

/// Returns true if a recorded folder is that of the task, in any tree.
fn is_own(folder: &Path, task: &TaskRef) -> bool {
    folder.ends_with(Path::new(task.project.as_str()).join(task.task.as_str()))
}

/// Refuses a request for an existing task that names another folder than the task's.
///
/// # Errors
/// [`RunnerError::OtherFolder`]; [`RunnerError::WorkFolder`] if the named folder cannot be used.
pub fn must_work_in(runner: &Runner, task: &TaskRef, named: Option<&Path>) -> Result<()> {
    let Some(named) = named else { return Ok(()) };
    let named = usable(named)?;
    let folder = of_task(runner, task, &runner.tree.task_config(task)?)?;
    if fsx::resolve(&folder)? == named {
        return Ok(());
    }
    Err(RunnerError::OtherFolder { task: task.clone(), folder, named })
}
