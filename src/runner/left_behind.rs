//! Files that never got their name, since their writer was killed: nobody knows them, and nobody misses them.

use super::error::Result;
use crate::{
    tree::{RelPath, Tree},
    view::fsck,
};

/// Removes what such writers have left in a folder.
///
/// # Errors
/// If the folder cannot be read, or the disk fails.
pub fn clear(tree: &Tree, folder: &RelPath) -> Result<()> {
    for entry in tree.root().list(folder)? {
        remove(tree, &folder.join(&entry.name))?;
    }
    Ok(())
}

/// Removes one such file. `false`: it is none, or its writer may still be at it.
pub(super) fn remove(tree: &Tree, path: &RelPath) -> Result<bool> {
    Ok(fsck::is_left_behind(tree, path)? && tree.root().remove(path)?)
}
