//! Removes stale files, which never got their final name because their writer was killed. No record refers to them.

use crate::runner::{Runner, error::Result};
use tree::{RelPath, Tree, run_info::RunInfo};
use view::fsck;

/// Removes the stale files of a folder.
///
/// # Errors
/// If the folder cannot be read, or the disk fails.
pub fn clear(tree: &Tree, folder: &RelPath) -> Result<()> {
    for entry in tree.root().list(folder)? {
        remove(tree, &folder.join(&entry.name))?;
    }
    Ok(())
}

/// Removes a stale file. Returns false if the file is not stale, or its writer may still be alive.
pub(in crate::runner) fn remove(tree: &Tree, path: &RelPath) -> Result<bool> {
    Ok(fsck::is_left_behind(tree, path)? && tree.root().remove(path)?)
}

/// Removes the sign of life of a run elsewhere, once its final record is written. A shim that is still there holds the file
/// open and does not create it again.
pub(in crate::runner) fn forget_heartbeat(runner: &Runner, info: &RunInfo) {
    let run = info.run_ref();
    if !info.executor.is_local()
        && let Err(e) = runner.tree.root().remove(&run.dir().heartbeat())
    {
        tracing::warn!(run = %run, error = %e, "cannot remove the heartbeat of a run that has ended");
    }
}
