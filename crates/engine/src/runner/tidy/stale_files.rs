//! Removes stale files, which never got their final name because their writer was killed. No record refers to them.

use crate::runner::error::Result;
use tree::{RelPath, Tree};
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
